"""What is seen of a clip: some of its frames, through a window of about its own aspect, on the model's grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from schemas.bucket import Bucket
from trainer.encode_inputs import BucketedClip
from trainer.vae_train.clips import TrainingClip
from trainer.vae_train.config import WindowConfig

Stride = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Look:
    """Where in a clip a window lies: each in [0, 1)."""

    start: float
    zoom: float
    across: float
    down: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Look:
        """A look at random."""
        return cls(*map(float, rng.random(4)))


MIDDLE = Look(0.0, 1.0, 0.5, 0.5)
"""From the clip's beginning, as much as there is, the middle of it."""


def window(clip: TrainingClip, look: Look, config: WindowConfig, stride: Stride) -> BucketedClip | None:
    """The frames and the part of the picture that a look shows; None of a picture smaller than a grid step.

    Args:
        clip: The clip.
        look: Where in it.
        config: How much is seen.
        stride: The model's grid.
    """
    x, y, native_w, native_h = clip.crop
    if native_w < stride[2] or native_h < stride[1]:
        return None
    wide, high = grid_size(native_w, native_h, config.max_pixels, stride)
    # The largest window of that aspect, then less of it, but never less than what it becomes.
    largest = min(Fraction(native_w, wide), Fraction(native_h, high))
    scale = max(1.0, float(largest) * (config.min_zoom + (1 - config.min_zoom) * look.zoom))
    window_w, window_h = min(native_w, round(wide * scale)), min(native_h, round(high * scale))
    left = x + int(look.across * (native_w - window_w + 1))
    top = y + int(look.down * (native_h - window_h + 1))
    step, frames = _frames(clip, config, stride)
    skipped = int(look.start * (clip.num_frames - ((frames - 1) * step + 1) + 1))
    # Half a frame early, so that rounding cannot lose the frame that is meant.
    ticks = Fraction(clip.end_pts - clip.start_pts, clip.num_frames)
    start_pts = clip.start_pts + (math.floor((skipped - Fraction(1, 2)) * ticks) if skipped else 0)
    return BucketedClip(
        clip_id=clip.clip_id,
        start_pts=start_pts,
        end_pts=clip.end_pts,
        time_base=clip.time_base,
        crop=(left, top, window_w, window_h),
        bucket=Bucket(frames, high, wide, clip.frame_rate / step, step),
        num_tokens=0,
    )


def window_shape(clip: TrainingClip, config: WindowConfig, stride: Stride) -> tuple[int, int, int]:
    """Frames, height and width of a clip's windows, whatever the look."""
    wide, high = grid_size(clip.crop[2], clip.crop[3], config.max_pixels, stride)
    return (_frames(clip, config, stride)[1], high, wide)


def _frames(clip: TrainingClip, config: WindowConfig, stride: Stride) -> tuple[int, int]:
    """Every how manieth frame is taken, and how many."""
    step = max(1, round(float(clip.frame_rate) / config.frame_rate))
    there = 1 + (clip.num_frames - 1) // step
    return step, 1 + (min(config.frames, there) - 1) // stride[0] * stride[0]


def grid_size(native_w: int, native_h: int, max_pixels: int, stride: Stride) -> tuple[int, int]:
    """Width and height of about the native aspect, on the grid, within the pixels and the picture."""
    cells = max(1, max_pixels // (stride[1] * stride[2]))
    most_w, most_h = native_w // stride[2], native_h // stride[1]
    aspect = (native_w / stride[2]) / (native_h / stride[1])
    cells_w = min(most_w, max(1, round(math.sqrt(cells * aspect))))
    cells_h = min(most_h, max(1, min(cells // cells_w, round(cells_w / aspect))))
    cells_w = min(most_w, max(1, min(cells // cells_h, cells_w)))
    return cells_w * stride[2], cells_h * stride[1]
