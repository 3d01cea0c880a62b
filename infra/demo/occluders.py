"""What stands between the camera and the scene."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infra.demo.camera import FOCAL

DEPTH = 3.4
_WOOD = (74.0, 66.0, 60.0)
_IRON = (58.0, 62.0, 68.0)
_LEAF = (60.0, 78.0, 54.0)


@dataclass(frozen=True, slots=True)
class Flat:
    """A plain polygon in the world."""

    points: npt.NDArray[np.float64]
    """(P, 3)."""
    color: tuple[float, float, float]


def occluders(name: str, rng: np.random.Generator, aspect: float) -> tuple[Flat, ...]:
    """The polygons of an occluder, in the order in which they are drawn.

    Args:
        name: `none`, `post`, `fence` or `branch`.
        rng: Where it stands.
        aspect: Width over height of the picture.

    Raises:
        ValueError: There is no such occluder.
    """
    width = DEPTH * math.sqrt(aspect) / FOCAL
    height = DEPTH / math.sqrt(aspect) / FOCAL
    match name:
        case "none":
            return ()
        case "post":
            x = float(rng.choice((-1, 1)) * rng.uniform(0.12, 0.32)) * width
            return (
                _box(x - 0.05, -6, x + 0.05, 6, _WOOD),
                _box(x - 0.05, -6, x - 0.02, 6, (96.0, 86.0, 78.0)),
            )
        case "fence":
            level = 0.36 * height
            posts = [
                _box(x - 0.02, level - 0.16, x + 0.02, 6, _IRON) for x in np.arange(-4, 4, 0.3) + rng.uniform(0, 0.3)
            ]
            rails = [_box(-5, level + dy, 5, level + dy + 0.03, _IRON) for dy in (-0.08, 0.12)]
            return tuple(rails + posts)
        case "branch":
            return _branch(rng, width, height)
    raise ValueError(f"no occluder {name!r}")


def _box(x0: float, y0: float, x1: float, y1: float, color: tuple[float, float, float]) -> Flat:
    return Flat(np.array([(x0, y0, DEPTH), (x1, y0, DEPTH), (x1, y1, DEPTH), (x0, y1, DEPTH)], np.float64), color)


def _branch(rng: np.random.Generator, width: float, height: float) -> tuple[Flat, ...]:
    """A branch with leaves that comes in from an upper corner."""
    side = float(rng.choice((-1, 1)))
    start, end = (
        np.array([side * 0.75 * width, -0.62 * height]),
        np.array([side * 0.12 * width, -0.32 * height]),
    )
    along = (end - start) / np.linalg.norm(end - start)
    across = np.array([-along[1], along[0]])
    stem = [start + 0.04 * across, end, start - 0.04 * across]
    flats = [Flat(np.array([(*point, DEPTH) for point in stem]), _WOOD)]
    for place in rng.uniform(0.1, 1.0, 26):
        centre = start + place * (end - start) + across * rng.uniform(-0.14, 0.14)
        angle = rng.uniform(0, 2 * math.pi)
        t = np.linspace(0, 2 * math.pi, 12, endpoint=False)
        leaf = np.stack([0.085 * np.cos(t), 0.035 * np.sin(t)], axis=1)
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        depth = DEPTH + rng.uniform(-0.15, 0.15)
        points = np.column_stack([leaf @ turn.T + centre, np.full(12, depth)])
        shade = float(rng.uniform(0.8, 1.25))
        flats.append(Flat(points, (_LEAF[0] * shade, _LEAF[1] * shade, _LEAF[2] * shade)))
    return tuple(flats)
