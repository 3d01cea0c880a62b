"""Outlines of the shapes, about one unit high, x to the right and y down."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt

Outline = npt.NDArray[np.float64]
"""Points of a closed outline, (P, 2)."""


@cache
def outline(shape: str) -> Outline:
    """The outline of a shape, centred, inside the square from -0.5 to 0.5.

    Raises:
        ValueError: There is no such shape.
    """
    if shape not in _MAKERS:
        raise ValueError(f"no shape {shape!r}; there are {sorted(_MAKERS)}")
    points = np.asarray(_MAKERS[shape](), np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    points = np.asarray((points - (low + high) / 2) / (high - low).max())
    points.setflags(write=False)
    return points


@cache
def bitten(shape: str, x: float, y: float, radius: float) -> Outline:
    """The outline of a shape out of which a round piece is taken at its edge.

    Args:
        shape: As of `outline`.
        x: Middle of the round piece, in the units of `outline`.
        y: The same, downwards.
        radius: Of the piece.

    Raises:
        ValueError: The piece is not one: it is beside the outline, inside it or takes all, or meets it twice.
    """
    points = _dense(outline(shape))
    centre = np.array((x, y))
    is_taken = np.hypot(*(points - centre).T) < radius
    # Where the outline goes into the circle: it must do so once.
    starts = np.flatnonzero(is_taken & ~np.roll(is_taken, 1))
    if len(starts) != 1:
        raise ValueError(f"a circle of {radius} at ({x}, {y}) takes no piece out of the edge of a {shape}")
    points, is_taken = np.roll(points, -starts[0], axis=0), np.roll(is_taken, -starts[0])
    kept = points[~is_taken]
    first, last = (math.atan2(*(end - centre)[::-1]) for end in (kept[-1], kept[0]))
    # Along the circle against the outline's own sense: the inside lies on the other side of it.
    turn = -math.copysign(1.0, _signed_area(points))
    sweep = turn * ((turn * (last - first)) % (2 * math.pi))
    angle = first + sweep * np.linspace(0, 1, 18)[1:-1]
    arc = centre + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points = np.concatenate([kept, arc])
    points.setflags(write=False)
    return points


@cache
def bite_places(shape: str, radius: float, least: float, most: float) -> tuple[tuple[float, float], ...]:
    """Middles on the edge of a shape at which a round piece is one, and has a share of its area between two bounds."""
    whole = area(outline(shape))
    found = []
    for x, y in _dense(outline(shape))[::3]:
        try:
            share = 1 - area(bitten(shape, float(x), float(y), radius)) / whole
        except ValueError:
            continue
        if least <= share <= most:
            found.append((float(x), float(y)))
    return tuple(found)


def area(points: Outline) -> float:
    """What a closed outline encloses."""
    return abs(_signed_area(points))


def _signed_area(points: Outline) -> float:
    x, y = points.T
    return 0.5 * float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())


def _dense(points: Outline) -> Outline:
    """The same outline with points at most a fiftieth apart."""
    sides = []
    for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
        num = max(1, math.ceil(float(np.hypot(*(end - start))) / 0.02))
        sides.append(start + (end - start) * (np.arange(num) / num)[:, None])
    return np.concatenate(sides)


def _round(num: int, radius: float = 0.5, start: float = 0.0) -> Outline:
    angle = start + np.arange(num) * (2 * math.pi / num)
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _star() -> Outline:
    points = _round(10, 0.5, -math.pi / 2)
    points[1::2] *= 0.42
    return points


def _heart() -> Outline:
    t = np.linspace(0, 2 * math.pi, 40, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return np.stack([x, y], axis=1)


def _crescent() -> Outline:
    outer = np.linspace(0.30 * math.pi, 1.70 * math.pi, 28)
    rim = np.stack([np.cos(outer), np.sin(outer)], axis=1)
    reach = math.sin(0.30 * math.pi)
    centre = math.cos(0.30 * math.pi)
    inner = np.linspace(1.5 * math.pi, 0.5 * math.pi, 22)[1:-1]
    bite = np.stack([centre + 0.62 * reach * np.cos(inner), reach * np.sin(inner)], axis=1)
    return np.concatenate([rim, bite])


def _cross() -> Outline:
    a, b = 0.5, 0.17
    return np.array(
        [
            (-b, -a),
            (b, -a),
            (b, -b),
            (a, -b),
            (a, b),
            (b, b),
            (b, a),
            (-b, a),
            (-b, b),
            (-a, b),
            (-a, -b),
            (-b, -b),
        ]
    )


def _arrow() -> Outline:
    return np.array([(-0.5, -0.15), (0.05, -0.15), (0.05, -0.4), (0.5, 0.0), (0.05, 0.4), (0.05, 0.15), (-0.5, 0.15)])


_MAKERS = {
    "circle": lambda: _round(40),
    "square": lambda: _round(4, 0.5, math.pi / 4),
    "triangle": lambda: _round(3, 0.5, -math.pi / 2),
    "star": _star,
    "heart": _heart,
    "diamond": lambda: np.array([(0, -0.5), (0.34, 0), (0, 0.5), (-0.34, 0)]),
    "hexagon": lambda: _round(6),
    "cross": _cross,
    "crescent": _crescent,
    "arrow": _arrow,
}
