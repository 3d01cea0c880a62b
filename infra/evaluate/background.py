"""Which of the world's walls stands at the back: statistics of its texture against those of rendered walls.

The latter are in `walls.json`; `python -m infra.evaluate.background` makes it anew.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from infra.demo.camera import CameraMove
from infra.demo.render import Stage
from infra.demo.scene import Scene
from infra.demo.vocabulary import BACKGROUNDS, FLOORS, LIGHT_SIDES
from infra.evaluate.blobs import Picture
from infra.evaluate.camera import wall_mask

Vector = npt.NDArray[np.float64]

WALLS_FILE = "walls.json"
_PARTS = ("middle", "spread", "axes", "centres")

_SIDE = 96
"""Shorter side of the pictures whose texture is measured."""
_NUM_REFERENCES = 48
"""Of each wall."""
_REFERENCE_SEED = 7_700_000
_SHAPES = ((16, 9), (9, 16), (4, 3), (1, 1))
_BLURS = (0.0, 0.7, 1.4)
_LEAST_PX = 50
_DARK = 0.55
"""Of the wall's middle brightness."""
_RIDGE = 0.1
"""Weight of the identity in the common covariance."""


def name_background(pictures: Sequence[Picture], walls: Sequence[npt.NDArray[np.bool_]]) -> str:
    """The wall that is most like what is seen.

    Args:
        pictures: Some frames.
        walls: Where each shows the wall and no object.
    """
    found = np.mean([texture(picture, wall) for picture, wall in zip(pictures, walls, strict=True)], axis=0)
    middle, spread, axes, centres = _references()
    place = (found - middle) / spread @ axes
    return BACKGROUNDS[int(((centres - place) ** 2).sum(axis=1).argmin())]


def texture(picture: Picture, wall: npt.NDArray[np.bool_]) -> Vector:
    """Statistics of a wall's colours and structure, which a change of light leaves as they are."""
    height, width = picture.shape[:2]
    scale = _SIDE / min(height, width)
    size = (round(width * scale), round(height * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    mask = cv2.resize(wall.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    if mask.sum() < _LEAST_PX:
        mask = np.zeros_like(mask)
        mask[: size[1] // 3] = True
    level = float(np.median(small[mask].sum(axis=1))) / 3 + 4
    # Posts, fences and leaves before the wall are darker than any wall, but for its joints.
    bright = cv2.dilate((small.mean(axis=-1) < _DARK * level).astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
    mask = mask & bright if (mask & bright).sum() >= _LEAST_PX else mask
    tone = small / level
    gray = tone.mean(axis=-1)
    red, blue = tone[..., 0] - gray, tone[..., 2] - gray
    parts: list[float] = [float(np.mean(red[mask])), float(np.mean(blue[mask]))]
    parts += [float(np.log(np.std(plane[mask]) + 0.01)) for plane in (gray, red, blue)]
    parts += [float(np.percentile(gray[mask], q)) for q in (2, 25, 75, 98)]
    rows = np.flatnonzero(mask.any(axis=1))
    upper, lower = (np.zeros_like(mask) for _ in range(2))
    middle_row = (rows[0] + rows[-1]) // 2
    upper[: middle_row + 1], lower[middle_row:] = mask[: middle_row + 1], mask[middle_row:]
    for plane in (gray, red, blue):
        parts.append(float(plane[lower].mean() - plane[upper].mean()) if upper.any() and lower.any() else 0.0)
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    inner = inner if inner.sum() > 30 else mask
    for sigma in (0.7, 1.5, 3.0):
        soft = cv2.GaussianBlur(gray, (0, 0), sigma)
        dx, dy = (np.abs(cv2.Sobel(soft, cv2.CV_32F, *way, ksize=3))[inner] for way in ((1, 0), (0, 1)))
        parts += [float(np.log(dx.mean() + 0.005)), float(np.log(dy.mean() + 0.005))]
        parts.append(float(np.log(np.percentile(dx, 95) + 0.01) - np.log(np.median(dx) + 0.01)))
        parts.append(float(np.log(np.percentile(dy, 95) + 0.01) - np.log(np.median(dy) + 0.01)))
    return np.asarray(parts, np.float64)


@cache
def _references() -> tuple[Vector, Vector, Vector, Vector]:
    """Middle and spread of the measures, the axes that tell walls apart, and the walls' places on them."""
    kept = json.loads((resources.files("infra.evaluate") / WALLS_FILE).read_text())
    middle, spread, axes, centres = (np.asarray(kept[name], np.float64) for name in _PARTS)
    return middle, spread, axes, centres


def measure_walls(num: int = _NUM_REFERENCES) -> dict[str, list[Any]]:
    """What `WALLS_FILE` holds, from newly rendered walls.

    Args:
        num: Of each wall.

    Source: Fisher 1936, linear discriminant analysis.
    """
    values = np.array([[_reference(name, number) for number in range(num)] for name in BACKGROUNDS])
    flat = values.reshape(-1, values.shape[-1])
    middle, spread = flat.mean(axis=0), flat.std(axis=0) + 1e-6
    values = (values - middle) / spread
    within = values - values.mean(axis=1, keepdims=True)
    covariance = np.mean(within[..., :, None] * within[..., None, :], axis=(0, 1))
    strengths, vectors = np.linalg.eigh(covariance + _RIDGE * np.eye(len(middle)) * np.trace(covariance) / len(middle))
    axes = vectors / np.sqrt(strengths)
    parts = (middle, spread, axes, values.mean(axis=1) @ axes)
    return {name: np.round(part, 5).tolist() for name, part in zip(_PARTS, parts, strict=True)}


def _reference(name: str, number: int) -> Vector:
    """The measures of one rendered wall."""
    rng = np.random.default_rng((_REFERENCE_SEED, BACKGROUNDS.index(name), number))
    is_night = name == "night sky" or (name in BACKGROUNDS[:3] and number % 4 == 0)
    across, down = _SHAPES[number % len(_SHAPES)]
    short = 144
    size = (short * across // min(across, down), short * down // min(across, down))
    pose = CameraMove("pan right", "fast", number).pose(float(rng.uniform(0, 2)), 2.0)
    scene = Scene(
        duration_s=1.0,
        aspect=size[0] / size[1],
        things=(),
        relation="",
        event="none",
        background=name,
        floor=FLOORS[int(rng.integers(len(FLOORS)))],
        light_side=LIGHT_SIDES[int(rng.integers(len(LIGHT_SIDES)))],
        brightness=("dim", "normal", "bright")[int(rng.integers(3))],
        light_change="steady",
        time="night" if is_night else "day",
        occluder="none",
        camera=CameraMove("static", base=pose),
        seed=int(rng.integers(1 << 30)),
    )
    picture = Stage(scene, size).picture(0.5)
    blur = _BLURS[number % len(_BLURS)]
    if blur:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), blur), np.uint8)
    return texture(picture, wall_mask(pose.matrix(size), size))


if __name__ == "__main__":
    Path(__file__).with_name(WALLS_FILE).write_text(json.dumps(measure_walls()) + "\n")
