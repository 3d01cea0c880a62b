"""Naming a shape of the world: soft masks against the world's own silhouettes, freed of place and size."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from infra.demo.shapes import outline
from infra.demo.vocabulary import SHAPES

Mask = npt.NDArray[np.float32]
"""How much each pixel belongs to an object, 0 to 1, (H, W)."""

SIDE = 32
"""Of a normal mask, in pixels."""
_REACH = 2.5
"""Half of that side, in deviations of the mask."""
_ASPECT_DEVIATION = 0.15
"""Of the logarithm of a silhouette's aspect: perspective and a mask's soft edge change it by so much."""
_MASTER = 192


def normal_mask(mask: Mask) -> tuple[Mask, float]:
    """A mask with its middle in the middle and its deviations at one scale, and the logarithm of its aspect.

    Args:
        mask: Not empty.

    Returns:
        (SIDE, SIDE), and log(deviation in x / deviation in y).
    """
    moments = cv2.moments(mask)
    total = max(moments["m00"], 1e-6)
    x, y = moments["m10"] / total, moments["m01"] / total
    across = max(np.sqrt(max(moments["mu20"] / total, 0)), 0.3)
    down = max(np.sqrt(max(moments["mu02"] / total, 0)), 0.3)
    step_x, step_y = 2 * _REACH * across / SIDE, 2 * _REACH * down / SIDE
    half = (SIDE - 1) / 2
    matrix = np.array([[step_x, 0, x - half * step_x], [0, step_y, y - half * step_y]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    normal = cv2.warpAffine(mask, matrix, (SIDE, SIDE), flags=flags)
    return np.asarray(normal, np.float32), float(np.log(across / down))


@cache
def silhouettes() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The normal masks of all shapes, (shapes, SIDE * SIDE), and the logarithms of their aspects, (shapes,)."""
    masks, aspects = [], []
    for shape in SHAPES:
        canvas = np.zeros((_MASTER, _MASTER), np.uint8)
        points = outline(shape) * (0.7 * _MASTER) + _MASTER / 2
        cv2.fillPoly(canvas, [np.round(points * 16).astype(np.int32)], (255,), lineType=cv2.LINE_AA, shift=4)
        mask, aspect = normal_mask(np.asarray(canvas / 255, np.float32))
        masks.append(cv2.GaussianBlur(mask, (0, 0), 0.8).ravel())
        aspects.append(aspect)
    return np.asarray(masks, np.float32), np.asarray(aspects, np.float32)


def shape_scores(normal: Mask, aspect: float) -> npt.NDArray[np.float32]:
    """How well a normal mask agrees with each shape, 0 to 1, in the order of `SHAPES`."""
    masks, aspects = silhouettes()
    own = normal.ravel()
    overlap = np.minimum(masks, own).sum(axis=1) / np.maximum(np.maximum(masks, own).sum(axis=1), 1e-6)
    agreement = np.exp(-0.5 * ((aspect - aspects) / _ASPECT_DEVIATION) ** 2)
    return np.asarray(overlap * (0.5 + 0.5 * agreement), np.float32)
