"""What may be an object in one picture: flat patches of a colour of the world with a silhouette of the world."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from infra.evaluate.color import NAMES, angles
from infra.evaluate.shape import Mask, normal_mask, shape_scores

Picture = npt.NDArray[np.uint8]
"""RGB, (H, W, 3)."""
Plane = npt.NDArray[np.float32]

MAX_ANGLE_DEG = 10.0
"""Farther from every colour of the world is no object's face."""
_MIN_SEED_PX = 8
_MIN_AREA_PX = 30
_MAX_AREA_SHARE = 0.2
"""Of the picture: a large object has 0.09 where the camera stands at rest."""
FACE_SPREAD = 0.16
"""Distance in colour from a face, over its own length, at which a pixel is no longer of it."""
_SPREADS = (0.15, 0.08)
"""Distance in colour, over the face's own length, at which a pixel is no longer of the face: a bevel is 0.25 away. The
second where with the first it runs out into what is around it."""
_MIN_DEVIATION = 10.0
"""Of colours within a face, at least: noise, and what a lossy codec leaves."""
VIVID_SHARE, _VIVID_DEG = 0.55, 16.0
"""The least channel over the greatest of a vivid colour, where walls have more; how far it may be from a colour of the
world."""
_STANDS_OUT_DEG = 12.0
"""How far its colour is turned from what is around it."""
_BRIGHTEST = 0.88
"""Over the greatest length in the picture: a white object's sides have 0.75."""
_HAZE = 0.9
"""What a soft patch counts for beside a flat one."""
_EDGE = 0.06
"""Change from pixel to pixel, over the local brightness, that ends a flat patch."""


@dataclass(frozen=True, slots=True, eq=False)
class _Seed:
    """A patch from which one may grow."""

    mask: npt.NDArray[np.bool_]
    """Within its box."""
    box: tuple[int, int, int, int]

    def window(self, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """Its box with some room around it, within the picture."""
        x0, y0, x1, y1 = self.box
        pad = 3 + round(0.3 * max(x1 - x0, y1 - y0))
        return max(x0 - pad, 0), max(y0 - pad, 0), min(x1 + pad, shape[1]), min(y1 + pad, shape[0])

    def within(self, window: tuple[int, int, int, int]) -> npt.NDArray[np.bool_]:
        """Its mask within a window."""
        left, top, right, bottom = window
        mask = np.zeros((bottom - top, right - left), np.bool_)
        mask[self.box[1] - top : self.box[3] - top, self.box[0] - left : self.box[2] - left] = self.mask
        return mask


@dataclass(frozen=True, slots=True, eq=False)
class _Grown:
    """What has grown from a seed, within a window of the picture."""

    window: tuple[int, int, int, int]
    part: npt.NDArray[np.uint8]
    """0 and 1."""
    soft: Mask
    face: Plane
    """RGB."""
    is_flat: bool


@dataclass(frozen=True, slots=True, eq=False)
class Blob:
    """A patch that may be the face of an object; lengths in pixels of the working picture."""

    frame: int
    x: float
    """Of its middle."""
    y: float
    size: float
    """The square root of its area."""
    box: tuple[int, int, int, int]
    """Left, top, and the first column and row behind it."""
    rgb: npt.NDArray[np.float32]
    """Of its face."""
    colors: npt.NDArray[np.float32]
    """Angle to each colour, in degrees."""
    shapes: npt.NDArray[np.float32]
    """Agreement with each shape, 0 to 1."""
    normal: Mask
    """Its mask, freed of place and size."""
    aspect: float
    """Logarithm of that of its mask."""
    contrast: float
    """Distance in colour from what is around it, over its own length."""
    has_rim: bool
    """Whether it is darker all around in the same colour, as a solid's sides are."""
    touches: bool
    """Whether it reaches the edge of the picture."""
    is_flat: bool = True
    """Whether it is of one colour up to its edge, and not a soft patch."""

    @property
    def fit(self) -> float:
        """How much it is like an object, 0 to 1."""
        likely = float(np.exp(-0.5 * (self.colors.min() / 7.0) ** 2))
        return float(self.shapes.max()) * likely * (1.0 if self.has_rim else 0.85)


def find_blobs(picture: Picture, frame: int = 0) -> list[Blob]:
    """The patches of a picture that may be objects, the best first.

    Args:
        picture: At the working size.
        frame: Its number.
    """
    rgb = cv2.GaussianBlur(picture, (0, 0), 0.6).astype(np.float32)
    found: list[Blob] = []
    away = angles(rgb)
    for grown in (*(_face(rgb, seed) for seed in _seeds(rgb, away)), *(_haze(rgb, seed) for seed in _vivid(rgb, away))):
        if grown is not None:
            found.append(_blob(rgb, grown, frame))
    found.sort(key=lambda blob: -blob.fit)
    kept: list[Blob] = []
    for blob in found:
        if not any(_same_place(blob, other) for other in kept):
            kept.append(blob)
    return kept


def _seeds(rgb: Plane, away: Plane) -> Iterator[_Seed]:
    """Connected flat patches of one colour."""
    label = away.argmin(axis=-1)
    length = np.linalg.norm(rgb, axis=-1)
    bright = np.percentile(length, 99)
    step = np.maximum(_slope(rgb, 1, 0), _slope(rgb, 0, 1))
    usable = (away.min(axis=-1) < MAX_ANGLE_DEG) & (length > 24) & (step < np.maximum(_EDGE * length, 5.0))
    # White is a direction that walls and clouds have too; an object is as bright as anything in the picture.
    usable &= (label != NAMES.index("white")) | (length > 0.8 * bright)
    yield from _connected(usable, label, _MIN_SEED_PX)
    # A face and a wall of nearly its colour touch where the edge between them is weak.
    yield from _connected(usable & (label != NAMES.index("white")), label, _MIN_SEED_PX, is_parted=True)
    # A white face before a pale wall is one patch with it, but for what is brightest of all.
    brightest = length > _BRIGHTEST * np.percentile(length, 99.9)
    yield from _connected(usable & brightest & (label == NAMES.index("white")), label, _MIN_AREA_PX)


def _vivid(rgb: Plane, away: Plane) -> Iterator[_Seed]:
    """Connected patches of one vivid colour, flat or not: what a soft picture leaves of an object."""
    length = np.linalg.norm(rgb, axis=-1)
    share = rgb.min(axis=-1) / np.maximum(rgb.max(axis=-1), 1.0)
    usable = (away.min(axis=-1) < _VIVID_DEG) & (length > 40) & (share < VIVID_SHARE)
    yield from _connected(usable, away.argmin(axis=-1), _MIN_AREA_PX)


def _connected(
    usable: npt.NDArray[np.bool_], label: npt.NDArray[np.int64], least: int, *, is_parted: bool = False
) -> Iterator[_Seed]:
    """The connected patches of each label, of a size that objects have; with `is_parted` cut where they are narrow."""
    most = _MAX_AREA_SHARE * label.size
    for name in np.unique(label[usable]):
        mask = (usable & (label == name)).astype(np.uint8)
        if is_parted:
            mask = np.asarray(cv2.erode(mask, np.ones((3, 3), np.uint8)), np.uint8)
        _, parts, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
        for number in np.flatnonzero((stats[:, 4] >= least) & (stats[:, 4] <= most)):
            if number:
                x, y, width, height = (int(value) for value in stats[number, :4])
                yield _Seed(parts[y : y + height, x : x + width] == number, (x, y, x + width, y + height))


def _slope(rgb: npt.NDArray[np.float32], dx: int, dy: int) -> npt.NDArray[np.float32]:
    return np.asarray(np.abs(cv2.Sobel(rgb, cv2.CV_32F, dx, dy, ksize=3, scale=0.125)).max(axis=-1), np.float32)


def _face(rgb: Plane, seed: _Seed) -> _Grown | None:
    """The flat face around a seed, to where its colour ends; None where it is none."""
    left, top, right, bottom = window = seed.window(rgb.shape)
    crop = rgb[top:bottom, left:right]
    inside = seed.within(window)
    face = np.median(crop[inside], axis=0)
    squared = ((crop - face) ** 2).sum(axis=-1)
    for spread in _SPREADS:
        alike = np.exp(-squared / max(spread * float(np.linalg.norm(face)), _MIN_DEVIATION) ** 2)
        part = _part(alike > 0.4, inside)
        if part is None:
            return None
        if not _runs_out(part, window, rgb.shape):
            soft = np.asarray(alike * cv2.dilate(part, np.ones((3, 3), np.uint8)), np.float32)
            return _Grown(window, part, soft, np.asarray(face, np.float32), is_flat=True)
    return None


def _haze(rgb: Plane, seed: _Seed) -> _Grown | None:
    """The soft patch around a vivid seed: how far each pixel is from what is around it to the seed's own colour."""
    left, top, right, bottom = window = seed.window(rgb.shape)
    crop = rgb[top:bottom, left:right]
    inside = seed.within(window)
    near = cv2.dilate(inside.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    if near.all():
        return None
    around = np.median(crop[~near], axis=0)
    away = np.linalg.norm(crop - around, axis=-1)
    face = np.median(crop[inside & (away >= np.percentile(away[inside], 60))], axis=0)
    way = face - around
    cosine = float(face @ around) / max(float(np.linalg.norm(face) * np.linalg.norm(around)), 1e-3)
    if np.linalg.norm(way) < 0.25 * np.linalg.norm(face) or cosine > np.cos(np.radians(_STANDS_OUT_DEG)):
        return None
    share = np.clip((crop - around) @ way / float(way @ way), 0, 1)
    part = _part(share > 0.5, inside)
    if part is None or _runs_out(part, window, rgb.shape):
        return None
    soft = np.asarray(share * cv2.dilate(part, np.ones((3, 3), np.uint8)), np.float32)
    return _Grown(window, part, soft, np.asarray(face, np.float32), is_flat=False)


def _blob(rgb: Plane, grown: _Grown, frame: int) -> Blob:
    """A patch with its measures."""
    left, top, right, bottom = grown.window
    rows, columns = np.flatnonzero(grown.part.any(axis=1)), np.flatnonzero(grown.part.any(axis=0))
    box = (left + int(columns[0]), top + int(rows[0]), left + int(columns[-1]) + 1, top + int(rows[-1]) + 1)
    normal, aspect = normal_mask(grown.soft)
    moments = cv2.moments(grown.soft)
    contrast, has_rim = _surroundings(rgb[top:bottom, left:right], grown.part, grown.face)
    height, width = rgb.shape[:2]
    return Blob(
        frame=frame,
        x=left + moments["m10"] / moments["m00"],
        y=top + moments["m01"] / moments["m00"],
        size=float(np.sqrt(moments["m00"])),
        box=box,
        rgb=grown.face,
        colors=angles(grown.face),
        shapes=shape_scores(normal, aspect) * np.float32(1.0 if grown.is_flat else _HAZE),
        normal=normal,
        aspect=aspect,
        contrast=contrast,
        has_rim=has_rim,
        touches=box[0] <= 1 or box[1] <= 1 or box[2] >= width - 1 or box[3] >= height - 1,
        is_flat=grown.is_flat,
    )


def _part(mask: npt.NDArray[np.bool_], inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8] | None:
    """The connected part of a mask in which most of a seed lies, as 0 and 1; None where it is too small."""
    _, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    numbers = np.bincount(parts[inside])
    numbers[0] = 0
    if not numbers.any():
        return None
    part = (parts == int(numbers.argmax())).astype(np.uint8)
    return part if int(part.sum()) >= _MIN_AREA_PX else None


def _runs_out(part: npt.NDArray[np.uint8], window: tuple[int, int, int, int], shape: tuple[int, ...]) -> bool:
    """Whether a part reaches an edge of its window that is not the picture's, or is larger than any object."""
    left, top, right, bottom = window
    edges = (
        (part[:, 0], left > 0),
        (part[0], top > 0),
        (part[:, -1], right < shape[1]),
        (part[-1], bottom < shape[0]),
    )
    is_large = part.sum() > _MAX_AREA_SHARE * shape[0] * shape[1]
    return bool(is_large) or any(bool(line.any()) and is_inner for line, is_inner in edges)


def _surroundings(
    crop: npt.NDArray[np.float32], part: npt.NDArray[np.uint8], face: npt.NDArray[np.float32]
) -> tuple[float, bool]:
    """How far a face stands out, and whether it has a solid's sides."""
    grown = cv2.dilate(part, np.ones((3, 3), np.uint8))
    ring = (cv2.dilate(grown, np.ones((3, 3), np.uint8)) > 0) & (grown == 0)
    outer = crop[ring]
    if not len(outer):
        return 0.0, False
    length = float(np.linalg.norm(face))
    contrast = float(np.median(np.linalg.norm(outer - face, axis=1))) / max(length, 1.0)
    own = crop[(grown > 0) & (part == 0)]
    lengths = np.linalg.norm(own, axis=1)
    cosines = own @ face / np.maximum(lengths * length, 1e-3)
    darker = (cosines > np.cos(np.radians(12))) & (lengths < 0.95 * length)
    return contrast, bool(len(own)) and bool(darker.mean() > 0.6)


def _same_place(one: Blob, other: Blob) -> bool:
    """Whether two patches are of one object: the boxes overlap by more than half of the smaller."""
    across = min(one.box[2], other.box[2]) - max(one.box[0], other.box[0])
    down = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    if across <= 0 or down <= 0:
        return False
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one.box, other.box)]
    return across * down > 0.5 * min(areas)
