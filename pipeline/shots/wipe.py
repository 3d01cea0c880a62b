"""Wipes: a moving border splits each frame in a part equal to the old shot and a part equal to the new one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pipeline.shots.coarse import HEIGHT, WIDTH, Pictures
from pipeline.shots.signals import Floats


@dataclass(frozen=True, slots=True)
class WipeParams:
    """Limits of what counts as a wipe."""

    residual: float = 0.17
    """How far pixels are from the nearer of both shots, as a share of their distance to both; 0.5 is no
    relation."""
    agreement: float = 0.93
    """Share of pixels and frames that follow "old before its moment, new after"."""
    smoothness: float = 0.75
    """How much of the moments' variance goes with place: neighbours turn at about the same moment."""
    unevenness: float = 2.8
    """The fullest eighth of the wipe turns at most so many times an eighth of the pixels: a cut turns all at
    once."""
    cover: float = 0.4
    """Share of pixels in which old and new differ."""
    concentration: float = 3.0
    """How many times more than elsewhere the picture changes where the border passes."""


LIMITS = WipeParams()
_LENIENT = 0.5
"""How far smoothness and concentration may make up for each other."""
_BEYOND = 0.05
"""Share of the time between the first and the last pixels counted that the others take on each side."""


@dataclass(frozen=True, slots=True)
class Wipe:
    """What a window looks like when taken for a wipe; places are in pictures of the window."""

    begin: float
    """The last picture that is all old."""
    end: float
    """The first picture that is all new."""
    residual: float
    agreement: float
    smoothness: float
    unevenness: float
    cover: float
    concentration: float

    @property
    def off(self) -> float:
        """How far off a perfect wipe, 1 at the nearest limit."""
        rough = (1 - self.smoothness) / (1 - LIMITS.smoothness)
        vague = LIMITS.concentration / max(self.concentration, 1e-3)
        return max(
            self.residual / LIMITS.residual,
            (1 - self.agreement) / (1 - LIMITS.agreement),
            # The sharper the border is, the less its way need be smooth on so coarse a grid, and the other
            # way round.
            math.sqrt(max(rough, _LENIENT) * max(vague, _LENIENT)),
            rough * _LENIENT,
            vague * _LENIENT,
            self.unevenness / LIMITS.unevenness,
            LIMITS.cover / max(self.cover, 1e-3),
        )


def fit_wipe(pictures: Pictures) -> Wipe | None:
    """Take the first picture for the old shot and the last for the new, and see when each pixel turns.

    Args:
        pictures: Coarse pictures, (K, 432).

    Returns:
        None where old and new hardly differ or nothing moves.
    """
    count = len(pictures)
    levels = pictures.reshape(count, HEIGHT, WIDTH, 3)
    from_old = np.abs(levels - levels[0]).sum(axis=3)
    from_new = np.abs(levels - levels[-1]).sum(axis=3)
    # What counts as a change depends on how much there is: dark shots differ by few levels.
    scale = float(np.clip(from_old[-1].mean(), 8, 36))
    weight = np.clip((from_old[-1] - scale / 3) / scale, 0, 1)
    total = float(weight.sum())
    if total < 0.15 * weight.size:
        return None
    is_new = from_new < from_old
    moment = (~is_new).sum(axis=0).astype(np.float32)
    counted = moment[weight > 0.3]
    if len(counted) < 16:
        return None
    early, late = (float(value) for value in np.percentile(counted, [3, 97]))
    if late - early < 2:
        return None
    places = np.arange(count)[:, None, None]
    follows = (is_new == (places >= moment)).mean(axis=0)
    shares, _ = np.histogram(counted, bins=np.linspace(early, late + 1e-3, 9))
    change = np.abs(np.diff(levels, axis=0)).sum(axis=3)
    passing = (np.abs(places[1:] - moment) <= 1) & (weight > 0.3)
    elsewhere = (np.abs(places[1:] - moment) > 2) & (weight > 0.3)
    inside = slice(max(0, int(early) - 1), int(late) + 1)
    at_border = _mean(change[inside], passing[inside])
    return Wipe(
        begin=early - 1 - _BEYOND * (late - early),
        end=late + _BEYOND * (late - early),
        residual=float((np.minimum(from_old, from_new) * weight).sum())
        / (float(((from_old + from_new) * weight).sum()) + 1e-6),
        agreement=float((follows * weight).sum()) / total,
        smoothness=_smoothness(moment, weight),
        unevenness=8 * float(shares.max()) / max(1, int(shares.sum())),
        cover=float(weight.mean()),
        concentration=at_border / (_mean(change[inside], elsewhere[inside]) + scale / 36),
    )


def _mean(values: Floats, where: Floats) -> float:
    return float(values[where].mean()) if where.any() else 0.0


def _smoothness(moment: Floats, weight: Floats) -> float:
    """1 minus Geary's ratio: 1 where moments change slowly over the picture, 0 where they are without order."""
    mean = float((weight * moment).sum() / weight.sum())
    variance = float((weight * (moment - mean) ** 2).sum() / weight.sum())
    across, down = np.minimum(weight[:, 1:], weight[:, :-1]), np.minimum(weight[1:], weight[:-1])
    squared = float((across * np.diff(moment, axis=1) ** 2).sum() + (down * np.diff(moment, axis=0) ** 2).sum())
    return 1 - squared / (2 * float(across.sum() + down.sum()) + 1e-6) / (variance + 1e-6)
