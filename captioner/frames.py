"""Which frames of a clip the model sees, and at which size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from captioner.config import FramesConfig
from captioner.engine import Window
from pipeline.media import DecoderChild, MediaLimits, opened
from pipeline.media.excerpt import Excerpt
from schemas import ErrorKind, MediaError, Probe

OpenSource = Callable[[str], AbstractContextManager[str]]
"""Gives a local path of a file by its uri, for the length of a block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSpan:
    """What is needed to find a clip's frames again."""

    clip_id: str
    start_pts: int
    end_pts: int
    time_base: Fraction
    crop: tuple[int, int, int, int]
    """x, y, width, height in the displayed picture, in pixels."""


class WindowReader(Protocol):
    """Gives the windows of clips, to one thread at a time."""

    def read(self, uri: str, probe: Probe, clip: ClipSpan, *, from_start: bool = False) -> Window:
        """The window of one clip.

        Raises:
            MediaError: It cannot be had.
        """

    def close(self) -> None:
        """Let go of what it holds."""


class ClipReader:
    """Reads the windows of clips, one video after the other, in a child process that can be killed.

    For use by one thread at a time, and by another later on.

    Args:
        config: Which frames.
        limits: What a decoder may use.
        open_source: How a uri becomes a path.
    """

    def __init__(self, config: FramesConfig, limits: MediaLimits, open_source: OpenSource) -> None:
        self._config = config
        self._open_source = open_source
        self._child = DecoderChild("captioner.decoder", limits)
        # A child ends with the thread that started it, so that thread is the reader's own.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="caption-decoder")

    def read(self, uri: str, probe: Probe, clip: ClipSpan, *, from_start: bool = False) -> Window:
        """The window of one clip.

        Args:
            uri: The video's file.
            probe: What is known of it.
            clip: Where the clip lies in it.
            from_start: Whether times had to be repaired in this video.

        Raises:
            MediaError: It cannot be read or decoded.
        """
        width, height = fit_size(clip.crop[2], clip.crop[3], self._config.max_pixels, self._config.grid_px)
        wanted = Excerpt(
            start_pts=clip.start_pts,
            end_pts=clip.end_pts,
            time_base=clip.time_base,
            choice=self._config.choice,
            num_frames=self._config.num_frames,
            rate=self._config.rate,
            crop=clip.crop,
            width=width,
            height=height,
            from_start=from_start,
        )
        args = {"probe": probe.to_json(), "excerpt": wanted.to_json()}
        with self._open_source(uri) as path, opened(path) as fd:
            reply = self._thread.submit(self._child.call, "excerpt", args, fd).result()
        return _window(reply.header.get("times_s"), reply.blobs, width, height)

    def close(self) -> None:
        """End the child."""
        self._child.close()
        self._thread.shutdown()


def fit_size(width: int, height: int, max_pixels: int, grid_px: int) -> tuple[int, int]:
    """The largest size within a budget of pixels, on a grid, that keeps the aspect ratio within a grid step.

    Never larger than the picture by more than half a grid step, but for one that is smaller than a grid step.

    Returns:
        Width and height, multiples of the grid.
    """
    scale = min(1.0, math.sqrt(max_pixels / (width * height)))
    wide = max(1, int(width * scale / grid_px + 0.5))
    high = max(1, int(height * scale / grid_px + 0.5))
    while wide * high * grid_px**2 > max_pixels and wide * high > 1:
        # The side that rounding has enlarged more gives way.
        if wide > 1 and (high == 1 or wide / (width * scale) >= high / (height * scale)):
            wide -= 1
        else:
            high -= 1
    return wide * grid_px, high * grid_px


def _window(times_s: Any, blobs: Sequence[Any], width: int, height: int) -> Window:
    """The child's answer, checked: it has read hostile video."""
    good = isinstance(times_s, list) and len(times_s) == len(blobs) > 0
    good = good and all(isinstance(time_s, float) and math.isfinite(time_s) for time_s in times_s)
    good = good and all(before < after for before, after in pairwise(times_s))
    if not good or any(len(blob) != width * height * 3 for blob in blobs):
        raise MediaError(ErrorKind.decoder_crash, "the decoder's answer has not the pictures that were asked for")
    frames = np.stack([np.frombuffer(blob, np.uint8).reshape(height, width, 3) for blob in blobs])
    return Window(frames, tuple(times_s))
