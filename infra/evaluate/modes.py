"""Whether ways of sampling keep what they are given: pure measures on frames, uint8 (F, H, W, 3)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from infra.evaluate.objects import Seen

Frames = npt.NDArray[np.uint8]

_SEAM_SPAN = 8
"""Frames to each side of a seam whose differences it is held against."""


def psnr_db(one: Frames, other: Frames) -> float:
    """How alike pictures are, in decibels; infinite where they are the same.

    Raises:
        ValueError: They differ in shape.
    """
    if one.shape != other.shape:
        raise ValueError(f"{one.shape} is held against {other.shape}")
    error = float(((one.astype(np.float32) - other.astype(np.float32)) ** 2).mean())
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def kept_psnr_db(own: Frames, given: Frames, coded: Frames) -> float:
    """How well what was given is kept: as it was, as an autoencoder gives it back, or faded from one to the other.

    Args:
        own: The frames of the output where it was given something.
        given: What was given.
        coded: The same through the autoencoder.
    """
    between = np.clip(own, np.minimum(given, coded), np.maximum(given, coded))
    return psnr_db(own, between)


def changes(frames: Frames) -> npt.NDArray[np.float64]:
    """The mean difference of each frame from the one before, 0 to 255, (F - 1,)."""
    return np.array([np.abs(after.astype(np.float32) - before).mean() for before, after in pairwise(frames)])


def seam_ratio(frames: Frames, seam: int) -> float:
    """The change across a seam over the middle of the changes around it.

    Args:
        frames: Of a video.
        seam: The first frame behind it.

    Raises:
        ValueError: There is no frame to one of its sides, or none but the two.
    """
    found = changes(frames)
    if not 0 < seam < len(frames) or len(found) < 2:
        raise ValueError(f"no seam at frame {seam} of {len(frames)}")
    here = seam - 1
    around = np.delete(found[max(here - _SEAM_SPAN, 0) : here + _SEAM_SPAN + 1], min(here, _SEAM_SPAN))
    # Below a grey level lies what codecs and sensors change in what stands still.
    return float(found[here] / max(float(np.median(around)), 1.0))


def wrap_ratio(frames: Frames) -> float:
    """The change from the last frame to the first, over the middle of the changes around it."""
    half = len(frames) // 2
    turned = np.roll(frames, half, axis=0)
    return seam_ratio(turned, half)


def same_ends(videos: Sequence[Frames], num_frames: int) -> float:
    """How alike the last frames of several videos are: the least of all pairs, in decibels."""
    ends = [video[-num_frames:] for video in videos]
    return min(psnr_db(one, other) for k, one in enumerate(ends) for other in ends[:k])


def path_correlation(one: Seen, other: Seen) -> float:
    """How alike the ways of two objects are: the correlation of their places in the frames that have both, -1 to 1.

    Of ways that stand still there is none; where both do, it is 1 if they are at one place.
    """
    frames, first, second = np.intersect1d(one.frames, other.frames, return_indices=True)
    if len(frames) < 3:
        return 0.0
    a, b = one.places[first], other.places[second]
    mean_size = float(np.mean([one.sizes.mean(), other.sizes.mean()]))
    if max(np.ptp(a, axis=0).max(), np.ptp(b, axis=0).max()) < 0.5 * mean_size:
        return float(np.linalg.norm(a.mean(axis=0) - b.mean(axis=0)) < 0.5 * mean_size)
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    return float((a * b).sum() / max(float(np.sqrt((a**2).sum() * (b**2).sum())), 1e-9))


def color_drift(frames: Frames, span: int) -> float:
    """How far the mean colour of a video goes from that of its beginning, as a share of the range of values.

    Args:
        frames: Of a long video.
        span: So many frames are averaged.
    """
    means = frames.reshape(len(frames), -1, 3).mean(axis=1)
    num = max(1, len(frames) // span)
    parts = np.array([part.mean(axis=0) for part in np.array_split(means, num)])
    return float(np.abs(parts - parts[0]).max() / 255)
