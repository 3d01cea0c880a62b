"""All that is seen in a video, without knowing what was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infra.evaluate.background import name_background
from infra.evaluate.bites import bite
from infra.evaluate.blobs import Picture
from infra.evaluate.camera import CameraPath, find_path, wall_mask
from infra.evaluate.consistency import reprojection
from infra.evaluate.depth import Fronts, fronts
from infra.evaluate.events import strokes
from infra.evaluate.motion import direction, whole, world_places
from infra.evaluate.objects import Seen, follow, working

_NUM_WALLS = 3
"""Frames in which the wall is looked at."""


@dataclass(frozen=True, eq=False)
class Sight:
    """What is seen in a video."""

    num_frames: int
    rate: float
    """Frames a second."""
    native: tuple[int, int]
    """Width and height of the video."""
    size: tuple[int, int]
    """Width and height of the working picture."""
    objects: tuple[Seen, ...]
    """The most prominent first."""
    ways: tuple[npt.NDArray[np.float64], ...]
    """Of each object, its places free of the camera's motion, in shorter sides of the picture, (N, 2)."""
    motions: tuple[str, ...]
    """Of each, a direction or `still`."""
    strokes: tuple[tuple[float, float], ...]
    """Of each, the share of its way on which there is paint at the end, and what share of the paint has stayed."""
    bites: tuple[tuple[float, float], ...]
    """Of each, the share of its face that is bitten out, and the least share of that which is gone from then on."""
    fronts: Fronts
    """What hides what at first."""
    camera: CameraPath
    background: str
    reprojection: tuple[float, float] | None
    """The least share of points where geometry puts them, and the middle error in shorter sides."""

    @property
    def seconds(self) -> float:
        """How long the video is."""
        return self.num_frames / self.rate

    def times_s(self, index: int) -> npt.NDArray[np.float64]:
        """When an object was seen, in seconds, (N,)."""
        return np.asarray(self.objects[index].frames / self.rate)


def look(frames: npt.NDArray[np.uint8], rate: float) -> Sight:
    """See what there is in a video.

    Args:
        frames: Display RGB, uint8 (F, H, W, 3).
        rate: Frames a second.
    """
    pictures = working(frames)
    height, width = pictures[0].shape[:2]
    size = (width, height)
    objects = follow(pictures)
    masks = object_masks(pictures, objects)
    camera = find_path(pictures, masks)
    ways = [world_places(one, camera, size) for one in objects]
    motions = []
    for one, way in zip(objects, ways, strict=True):
        inside = whole(one)
        motions.append(direction(way[inside], one.frames[inside] / rate))
    at = np.unique(np.linspace(0, len(pictures) - 1, _NUM_WALLS).astype(int))
    walls = [wall_mask(camera.matrix(int(k), size), size) & ~masks[k] for k in at]
    return Sight(
        num_frames=len(pictures),
        rate=rate,
        native=(frames.shape[2], frames.shape[1]),
        size=size,
        objects=tuple(objects),
        ways=tuple(ways),
        motions=tuple(motions),
        strokes=tuple(strokes(one, camera, pictures) for one in objects),
        bites=tuple(bite(one, pictures) for one in objects),
        fronts=fronts(objects, pictures),
        camera=camera,
        background=name_background([pictures[k] for k in at], walls),
        reprojection=reprojection(pictures, masks, camera),
    )


def object_masks(pictures: Sequence[Picture], objects: Sequence[Seen]) -> list[npt.NDArray[np.bool_]]:
    """Where objects are in each picture, with their sides and shadows' beginnings, (H, W) each."""
    masks = [np.zeros(picture.shape[:2], np.bool_) for picture in pictures]
    for one in objects:
        for blob in one.blobs:
            pad = 3 + int(0.2 * blob.size)
            left, top, right, bottom = blob.box
            masks[blob.frame][max(top - pad, 0) : bottom + pad, max(left - pad, 0) : right + pad] = True
    return masks
