"""Fine detail over a transition: mixing two pictures loses it, moving a camera does not."""

from __future__ import annotations

import numpy as np

from pipeline.shots.signals import Floats, Thumbs

_SAMPLES = 9
_MIDDLE = (0.3, 0.7)
"""The part of the transition, from 0 to 1, in which the loss is greatest."""


def detail_share(thumbs: Thumbs, before: int, after: int) -> float:
    """Detail in the middle of a transition over what the ends' detail would give by interpolation.

    Where two unrelated pictures are mixed with weights `a` and `1 - a`, the energy of detail is
    `a^2 E_old + (1 - a)^2 E_new`: in the middle half of the ends' mean. Where one picture turns into the other by
    motion, detail only moves, and the share is about 1.

    Source: the variance curve of dissolves, A. M. Alattar 1993, "Detecting and compressing dissolve regions in video
    sequences with a DVI multimedia image compression algorithm".

    Args:
        thumbs: uint8 (N, 27, 48, 3).
        before: The last frame of the old shot.
        after: The first of the new one.

    Returns:
        From 0; 1 where there are no frames between.
    """
    frames = np.unique(np.linspace(before, after, _SAMPLES).round().astype(np.intp))
    energy = _energy(thumbs[frames])
    place = (frames - before) / (after - before)
    straight = (1 - place) * energy[0] + place * energy[-1]
    middle = (place > _MIDDLE[0]) & (place < _MIDDLE[1])
    if not middle.any():
        return 1.0
    return float((energy[middle] / (straight[middle] + 0.5)).mean())


def _energy(thumbs: Thumbs) -> Floats:
    """Mean square of the second differences of luma across and down, float32 (n,)."""
    luma = np.asarray(thumbs[..., 0], np.float32)
    across = luma[:, :, :-2] - 2 * luma[:, :, 1:-1] + luma[:, :, 2:]
    down = luma[:, :-2] - 2 * luma[:, 1:-1] + luma[:, 2:]
    return np.asarray((across**2).mean((1, 2)) + (down**2).mean((1, 2)), np.float32)
