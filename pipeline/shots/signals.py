"""What is measured of every frame, once, in chunks of bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

CHUNK_FRAMES = 2048
"""Frames in memory at once, 8 MB of thumbnails."""

_BAR_LEVEL = 30
"""Luma up to which a row or column may be a black bar: black, and what compression and averaging add to
it."""

Thumbs = npt.NDArray[np.uint8]
"""Thumbnails, uint8 (N, 27, 48, 3): Y, Cb, Cr in full range; an array or a memory map."""
Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Signals:
    """Numbers of each frame; all arrays have N entries."""

    times_s: Floats
    """Presentation times, increasing."""
    change: Floats
    """Mean absolute difference to the frame before over Y, Cb and Cr, in levels; 0 for the first."""
    mean: Floats
    """Mean Y, Cb, Cr, (N, 3), in levels."""
    spread: Floats
    """Standard deviation of Y, Cb, Cr over the picture, (N, 3), in levels."""
    interval_s: float
    """The usual time between two frames."""
    window: tuple[slice, slice]
    """Rows and columns of the thumbnails inside black bars that stay for the whole video."""

    @property
    def num_frames(self) -> int:
        """N."""
        return len(self.times_s)

    def frames_in(self, seconds: float, at_least: int = 1) -> int:
        """How many frames pass in so many seconds."""
        return max(at_least, round(seconds / self.interval_s))


def measure(thumbs: Thumbs, times_s: Floats) -> Signals:
    """Measure every frame.

    Raises:
        ValueError: The arrays do not fit each other.
    """
    num_frames = len(thumbs)
    if thumbs.shape[1:] != (27, 48, 3) or thumbs.dtype != np.uint8 or len(times_s) != num_frames:
        raise ValueError(f"need uint8 (N, 27, 48, 3) and N times, got {thumbs.shape=} {thumbs.dtype=} {len(times_s)=}")
    window = _picture_window(thumbs)
    change = np.zeros(num_frames, np.float32)
    mean = np.zeros((num_frames, 3), np.float32)
    spread = np.zeros((num_frames, 3), np.float32)
    for begin in range(0, num_frames, CHUNK_FRAMES):
        end = min(begin + CHUNK_FRAMES, num_frames)
        first = max(begin - 1, 0)
        chunk = np.ascontiguousarray(thumbs[first:end]).reshape(end - first, -1)
        if len(chunk) > 1:
            difference = cv2.absdiff(chunk[1:], chunk[:-1])
            sums = cv2.reduce(difference, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)
            change[first + 1 : end] = sums[:, 0] / np.float32(chunk.shape[1])
        own = chunk[begin - first :]
        for k, frame in enumerate(own.reshape(len(own), *thumbs.shape[1:])[:, *window]):
            frame_mean, frame_spread = cv2.meanStdDev(frame)
            mean[begin + k] = frame_mean[:, 0]
            spread[begin + k] = frame_spread[:, 0]
    intervals = np.diff(times_s)
    # To the microsecond: what is left of larger times by subtraction must not round numbers of frames another way.
    interval_s = round(float(np.median(intervals)), 6) if len(intervals) else 0.0
    return Signals(
        np.asarray(times_s, np.float64), change, mean, spread, interval_s if interval_s > 0 else 0.04, window
    )


def _picture_window(thumbs: Thumbs) -> tuple[slice, slice]:
    """Rows and columns that are not black bars in any of up to 256 frames spread over the video."""
    if not len(thumbs):
        return slice(0, 27), slice(0, 48)
    samples = np.unique(np.linspace(0, len(thumbs) - 1, 256).astype(np.intp))
    brightest = np.max([thumbs[index, :, :, 0] for index in samples], axis=0)
    return _lit_part(brightest.max(axis=1)), _lit_part(brightest.max(axis=0))


def _lit_part(brightest: npt.NDArray[np.uint8]) -> slice:
    """The lines between two black bars of about equal width; all lines where there are none."""
    lit = np.flatnonzero(brightest > _BAR_LEVEL)
    whole = slice(0, len(brightest))
    if not len(lit):
        return whole
    first, end = int(lit[0]), int(lit[-1]) + 1
    # Bars lie on both sides alike; what is dark on one side only is part of the picture, as text on black is.
    if abs(first - (len(brightest) - end)) > 1 or end - first < len(brightest) * 0.3:
        return whole
    return slice(first, end)
