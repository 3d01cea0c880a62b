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
