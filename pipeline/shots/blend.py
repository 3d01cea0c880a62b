"""Dissolves: every frame is a linear blend of the last old and the first new picture, ever more of the new."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pipeline.shots.coarse import Pictures
from pipeline.shots.signals import Floats


@dataclass(frozen=True, slots=True)
class BlendParams:
    """Limits of what counts as a dissolve."""

    residual: float = 0.12
    """Energy that the blend of both ends leaves unexplained, as a share of the energy between them."""
    straightness: float = 0.18
    """Root mean square distance of the blend's weight from a line that is 0 before and 1 after."""


LIMITS = BlendParams()
_HOPELESS = 2.0
"""A fit that is so far off before its ends are settled is none after."""


@dataclass(frozen=True, slots=True)
class Blend:
    """A linear blend; places are in pictures of the window."""

    begin: int
    """The last picture that is all old."""
    end: int
    """The first picture that is all new."""
    residual: float
    straightness: float

    @property
    def off(self) -> float:
        """How far off a perfect blend, 1 at the limit; more of one error leaves less of the other."""
        return math.hypot(self.residual / LIMITS.residual, self.straightness / LIMITS.straightness)


def fit_blend(pictures: Pictures, near: int) -> Blend | None:
    """Find the ends of a linear blend around a place; None where nothing rises there.

    Args:
        pictures: Coarse pictures, (K, 432), of a window about twice as long as the blend.
        near: The place of about equal parts.
    """
    last = len(pictures) - 1
    low, high, begin, end = 0, last, 0, last
    for _ in range(3):
        line = _central_line(_weights(pictures, begin, end, slice(low, high + 1)), near - low)
        if line is None:
            return None
        start, stop = max(line[0] + low, low), min(line[1] + low, high)
        begin, end = max(0, int(np.floor(start))), min(last, int(np.ceil(stop)))
        if end - begin < 3:
            return None
        margin = (stop - start) / 2 + 1
        low, high = max(0, int(np.floor(start - margin))), min(last, int(np.ceil(stop + margin)))
    if _off(pictures, begin, end).off > _HOPELESS:
        return None
    return _off(pictures, *_settle(pictures, begin, end))


def _off(pictures: Pictures, begin: int, end: int) -> Blend:
    """How well a blend between these places explains the window."""
    last = len(pictures) - 1
    margin = (end - begin) // 2 + 1
    around = slice(max(0, begin - margin), min(last, end + margin) + 1)
    weight = _weights(pictures, begin, end, around)
    ramp = np.clip((np.arange(around.start, around.stop) - begin) / (end - begin), 0, 1)
    left = _left_over(pictures, begin, end)
    between = _between(pictures, begin, end)
    return Blend(
        begin,
        end,
        float(left.mean()) / between,
        float(np.sqrt(np.minimum((weight - ramp) ** 2, 0.25).mean())),
    )


def _weights(pictures: Pictures, old: int, new: int, part: slice) -> Floats:
    """The new picture's share in each, by projection on the line from the old to the new."""
    direction = pictures[new] - pictures[old]
    weights: Floats = (pictures[part] - pictures[old]) @ direction / (float(direction @ direction) + 1e-3)
    return weights


def _central_line(weight: Floats, near: int) -> tuple[float, float] | None:
    """Where a line through the middle part of a rise meets 0 and 1; the rise through 0.5 nearest to `near`."""
    crossings = np.flatnonzero((weight[:-1] < 0.5) & (weight[1:] >= 0.5))
    if not len(crossings):
        return None
    left = int(crossings[np.abs(crossings - near).argmin()])
    right = left + 1
    while left > 0 and weight[left] > 0.15:
        left -= 1
    while right < len(weight) - 1 and weight[right] < 0.85:
        right += 1
    places = np.arange(left, right + 1, dtype=np.float64)
    slope, offset = np.polyfit(places, weight[left : right + 1], 1)
    if slope < 1e-3:
        return None
    return float(-offset / slope), float((1 - offset) / slope)


def _between(pictures: Pictures, begin: int, end: int) -> float:
    return float(((pictures[end] - pictures[begin]) ** 2).sum()) + 1e-3


def _left_over(pictures: Pictures, begin: int, end: int) -> Floats:
    """Squared distance of each picture between the ends from the blend of them."""
    share = (np.arange(begin + 1, end, dtype=np.float32) - begin)[:, None] / (end - begin)
    blend = (1 - share) * pictures[begin] + share * pictures[end]
    left: Floats = ((pictures[begin + 1 : end] - blend) ** 2).sum(axis=1)
    return left


def _settle(pictures: Pictures, begin: int, end: int) -> tuple[int, int]:
    """Move both ends to the kinks of the blend's weight: motion before and after bends it slowly, an end at once."""
    for _ in range(2):
        reach = (end - begin) * 2 // 3 + 2
        low, high = max(0, begin - reach), min(len(pictures) - 1, end + reach)
        weight = _weights(pictures, begin, end, slice(low, high + 1)).astype(np.float64)
        begin, end = _kinks(weight, begin - low, end - low)
        begin, end = begin + low, end + low
    return begin, end


def _kinks(weight: Floats, begin: int, end: int) -> tuple[int, int]:
    """The two kinks of the best line of three pieces, by steps that get smaller."""
    places = np.linspace(0, 1, len(weight))
    basis = np.ones((4, len(weight)))
    basis[1] = places
    total, ridge = float(weight @ weight), 1e-9 * np.eye(4)

    def error(kinks: tuple[int, int]) -> float:
        basis[2:] = np.maximum(places - np.array(kinks)[:, None] / (len(weight) - 1), 0)
        toward = basis @ weight
        return total - float(toward @ np.linalg.solve(basis @ basis.T + ridge, toward))

    best = error((begin, end))
    step = max(1, (end - begin) // 4)
    while step >= 1:
        moved = False
        for kinks in ((begin + step, end), (begin, end - step), (begin - step, end), (begin, end + step)):
            if kinks[0] < 0 or kinks[1] >= len(weight) or kinks[1] - kinks[0] < 3:
                continue
            if (left := error(kinks)) < best * 0.999:
                best, (begin, end), moved = left, kinks, True
        if not moved:
            step //= 2
    return begin, end
