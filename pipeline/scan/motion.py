"""Motion between two small pictures: of the camera, and of what moves against it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

WIDTH: Final = 96
HEIGHT: Final = 54
PAIRS_PER_S: Final = Fraction(5)
"""Pairs a second. Flow at this size is right up to about a tenth of the width a pair, so half a width a second."""
COLUMNS: Final = ("speed", "camera_x", "camera_y", "zoom", "moving_area")
"""Of each pair, per second, lengths in shares of the picture's longer side: mean speed of textured points; the camera's
speed to the right and down (as the picture moves); its growth; share of textured area that moves against the camera."""

MOVING_SPEED: Final = 0.03
"""Points that move faster than this against the camera are moving, in longer sides a second: 0.6 px of 96 a pair, some
five times what compression noise gives."""
_TEXTURE_LEVELS: Final = 12
"""Sum of the absolute differences across a point from which on its motion can be seen, in levels."""
_STRIDE: Final = 4

Floats = npt.NDArray[np.floating[Any]]
Bytes = npt.NDArray[np.uint8]


def make_flow() -> cv2.DISOpticalFlow:
    """The flow estimator: DIS, its fastest preset at half resolution (120 us a pair).

    Source: Kroeger et al. 2016, "Fast Optical Flow using Dense Inverse Search".
    """
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    flow.setFinestScale(1)
    return flow


def small_luma(planes: Bytes) -> Bytes:
    """Halve a reduced luma plane, uint8 (108, 192), into uint8 (54, 96)."""
    return np.asarray(cv2.resize(planes, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)


def points_of(before: Bytes, flow: Floats) -> npt.NDArray[np.float32]:
    """The few points of a pair that are looked at, float32 (3, 13, 24): displacement in pixels right and down, texture.

    One point in 16 is enough: flow comes from patches of 8x8 at half the size, so their neighbours repeat them.

    Args:
        before: Small luma of the first picture, uint8 (54, 96).
        flow: Displacement of each pixel to the second picture, float (54, 96, 2), in pixels.
    """

    def at(down: int, right: int) -> npt.NDArray[np.int16]:
        rows, columns = slice(2 + down, HEIGHT - 2 + down, _STRIDE), slice(2 + right, WIDTH - 1 + right, _STRIDE)
        return before[rows, columns].astype(np.int16)

    texture = np.abs(at(0, 1) - at(0, -1)) + np.abs(at(1, 0) - at(-1, 0))
    points = np.empty((3, *texture.shape), np.float32)
    points[:2] = flow[2 : HEIGHT - 2 : _STRIDE, 2 : WIDTH - 1 : _STRIDE].transpose(2, 0, 1)
    points[2] = texture
    return points


def describe(points: Floats, interval_s: Floats, aspect: float) -> npt.NDArray[np.float32]:
    """What M pairs tell.

    Args:
        points: Those of `points_of`, (M, 3, 13, 24).
        interval_s: Time between the pictures of each pair, (M,), in seconds.
        aspect: Width over height of the picture that was squeezed into 96x54.

    Returns:
        float32 (M, 5), the columns of `COLUMNS`.
    """
    num_pairs, _, high_count, wide_count = points.shape
    wide, high = (1.0, 1.0 / aspect) if aspect >= 1 else (aspect, 1.0)
    scale = np.array([wide / WIDTH, high / HEIGHT], np.float32)[:, None, None]
    velocity = points[:, :2] * scale / np.asarray(interval_s, np.float32)[:, None, None, None]
    textured = points[:, 2] > _TEXTURE_LEVELS
    seen = textured | ~textured.any((1, 2), keepdims=True)
    count = seen.sum((1, 2))
    camera = _median(velocity.reshape(num_pairs, 2, -1), seen.reshape(num_pairs, 1, -1), count)
    speed = (np.hypot(velocity[:, 0], velocity[:, 1]) * seen).sum((1, 2)) / count
    place = np.stack(np.meshgrid(_centred(wide_count, wide), _centred(high_count, high)))
    zoom, rest = _zoom_and_rest(velocity - camera[:, :, None, None], place, textured)
    moving = (rest > MOVING_SPEED) & textured
    share = moving.sum((1, 2)) / (high_count * wide_count)
    return np.column_stack([speed, camera, zoom, share]).astype(np.float32)


def _median(values: Floats, seen: npt.NDArray[np.bool_], count: npt.NDArray[np.int64]) -> Floats:
    """The lower median of those that are seen, (M, 2) of (M, 2, n)."""
    ordered = np.sort(np.where(seen, values, np.float32(np.inf)), axis=-1)
    return np.asarray(np.take_along_axis(ordered, ((count - 1) // 2)[:, None, None], axis=-1)[..., 0])


def _zoom_and_rest(velocity: Floats, place: Floats, textured: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """The growth of each picture, (M,), and the speed that neither growth nor roll explains, (M, 13, 24).

    Least squares, three times over with less weight for what did not fit (Geman and McClure's function), so that an
    object that moves is no zoom.
    """
    turned = np.stack([-place[1], place[0]])
    distance = (place**2).sum(0)
    weight = textured.astype(np.float32)
    for _ in range(3):
        lever = np.maximum((weight * distance).sum((1, 2)), 1e-6)
        zoom = (weight * (velocity * place).sum(1)).sum((1, 2)) / lever
        roll = (weight * (velocity * turned).sum(1)).sum((1, 2)) / lever
        rest = velocity - zoom[:, None, None, None] * place - roll[:, None, None, None] * turned
        speed = np.hypot(rest[:, 0], rest[:, 1])
        weight = textured / (1 + (speed / MOVING_SPEED) ** 2) ** 2
    return zoom, speed


def _centred(count: int, length: float) -> npt.NDArray[np.float32]:
    return (((np.arange(count) + 0.5) / count - 0.5) * length).astype(np.float32)
