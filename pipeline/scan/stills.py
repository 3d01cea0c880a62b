"""Stretches of a clip in which one picture stands: what freezes and slideshows are made of."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

HOLD_S = 0.5
"""A picture that stands so long is held; a shorter repeat is a duplicate."""
_SLOWEST_S = 1.0
"""What lasts so long is held, whatever the frame rate."""
_BLEND_S = 1.5
"""The longest transition between two slides."""
_BLEND_STEP = 6.0
"""Least mean difference of what a transition joins, in levels: a slow pan's pictures are nearly mixtures, too."""
_BLEND_ERROR = 8.0
"""Largest error of a cell, in levels, up to which a picture is a mixture of two others."""
_BLEND_SHARE = 0.15
"""The same, of the largest difference that is joined: a few frames of a slow move differ little altogether."""


def runs(luma: Array, levels: float, breaks: Array | None = None) -> list[int]:
    """Cut frames into runs that look like their first frame, each as long as may be.

    Args:
        luma: Small luma, uint8 (N, h, w), N > 0.
        levels: By which no cell of a run differs from the run's first frame by more, 0 to 255.
        breaks: Where a run ends whatever the cells show, bool (N,).

    Returns:
        Where runs begin, and N: strictly increasing.
    """
    bounds = [0]
    for index in range(1, len(luma)):
        if (breaks is not None and breaks[index]) or cv2.norm(luma[index], luma[bounds[-1]], cv2.NORM_INF) > levels:
            bounds.append(index)
    return [*bounds, len(luma)]


def slides(luma: Array, durations: Array, levels: float) -> Array:
    """Which frames belong to slides: to pictures that are held, or to a mixture of one slide with the next.

    Args:
        luma: Small luma, uint8 (N, h, w).
        durations: Of each frame, in seconds, (N,).
        levels: Within which a picture counts as held, 0 to 255.

    Returns:
        bool (N,).
    """
    shown = np.zeros(len(luma), np.bool_)
    # Where every frame lasts as long, that is a low frame rate, unless a picture stands for a second.
    least_s = max(HOLD_S, min(_SLOWEST_S, 2.5 * float(np.median(durations))))
    held = [(a, b) for a, b in pairwise(runs(luma, levels)) if durations[a:b].sum() >= least_s]
    for start, end in held:
        shown[start:end] = True
    # A clip may begin and end inside a transition: there its outermost frame stands for the slide beyond.
    edges = [(0, 1), *held, (len(luma) - 1, len(luma))] if held else []
    for (_, end), (start, _) in pairwise(edges):
        if start > end and durations[end:start].sum() <= _BLEND_S and _is_blend(luma, end, start):
            shown[end - 1 : start + 1] = True
    return shown


def _is_blend(luma: Array, start: int, end: int) -> bool:
    """Whether the frames `[start, end)` are mixtures of the one before them and the one after them."""
    old, new = (luma[index].astype(np.float32).ravel() for index in (start - 1, end))
    step = new - old
    if np.abs(step).mean() < _BLEND_STEP:
        return False
    pictures = luma[start:end].reshape(end - start, -1).astype(np.float32) - old
    share = pictures @ step / max(float(step @ step), 1e-6)
    allowed = min(_BLEND_ERROR, _BLEND_SHARE * float(np.abs(step).max()))
    return bool(np.abs(pictures - share[:, None] * step).max() <= allowed)
