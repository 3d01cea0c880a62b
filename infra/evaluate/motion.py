"""Where an object goes: its way in the world, freed of the camera's, named by one of the world's directions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from infra.demo.camera import FOCAL
from infra.demo.vocabulary import DIRECTIONS, SPEEDS, STILL
from infra.evaluate.camera import CameraPath
from infra.evaluate.objects import Seen

DEPTH = 6.5
"""Of an object, in units: the middle of where the world puts them. A picture alone does not tell it."""
STILL_SPEED = 0.5 * SPEEDS["slow"]
"""Slower than this is still, in shorter sides of the picture a second."""
_LEAST_WAY = 0.015
"""So is what moves less than this in all, in shorter sides."""


def world_places(
    seen: Seen, camera: CameraPath, size: tuple[int, int], depth: float = DEPTH
) -> npt.NDArray[np.float64]:
    """An object's places as a camera at rest would see them, in shorter sides of the picture, (N, 2).

    Args:
        seen: The object.
        camera: Taken out of its way.
        size: Width and height of the working picture.
        depth: At which it is taken to be, in units.
    """
    side = min(size)
    places = []
    for frame, place in zip(seen.frames, seen.places, strict=True):
        x, y = place - camera.shift(int(frame)) * side
        matrix = camera.matrix(int(frame), size)
        inverse = np.linalg.inv(matrix[:, :3])
        centre, ray = -inverse @ matrix[:, 3], inverse @ (x, y, 1.0)
        spot = centre + ray * (depth - centre[2]) / ray[2]
        places.append(spot[:2])
    focal = FOCAL * np.sqrt(size[0] * size[1])
    return np.asarray(np.asarray(places) * focal / (depth * side), np.float64)


def whole(seen: Seen) -> npt.NDArray[np.bool_]:
    """In which of its frames an object does not reach the picture's edge; all where it always does."""
    inside = np.array([not blob.touches for blob in seen.blobs])
    return inside if inside.sum() >= 2 else np.ones(len(inside), np.bool_)


def direction(places: npt.NDArray[np.float64], times_s: npt.NDArray[np.float64]) -> str:
    """The direction of a way.

    Args:
        places: In shorter sides of the picture, x to the right and y down, (N, 2).
        times_s: Of each, in seconds.

    Returns:
        A key of `DIRECTIONS`, or `still`.
    """
    if len(places) < 2:
        return STILL
    few = max(1, len(places) // 5)
    gone = np.median(places[-few:], axis=0) - np.median(places[:few], axis=0)
    lasted = float(times_s[-few:].mean() - times_s[:few].mean())
    length = float(np.linalg.norm(gone))
    if length < max(_LEAST_WAY, STILL_SPEED * lasted):
        return STILL
    return max(DIRECTIONS, key=lambda name: float(np.dot(DIRECTIONS[name], gone)))
