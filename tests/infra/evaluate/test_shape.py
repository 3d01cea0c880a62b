from __future__ import annotations

import cv2
import numpy as np
import pytest

from infra.demo.shapes import outline
from infra.demo.vocabulary import SHAPES
from infra.evaluate.shape import normal_mask, shape_scores


def drawn(shape: str, height: float, stretch: float = 1.0, blur: float = 0.5) -> np.ndarray:
    """A soft mask of a shape somewhere in a picture."""
    points = outline(shape) * height * np.array([stretch, 1]) + (41.3, 37.8)
    canvas = np.zeros((80, 90), np.uint8)
    cv2.fillPoly(canvas, [np.round(points * 16).astype(np.int32)], (255,), lineType=cv2.LINE_AA, shift=4)
    return cv2.GaussianBlur(canvas.astype(np.float32) / 255, (0, 0), blur)


def named(mask: np.ndarray) -> str:
    return SHAPES[int(shape_scores(*normal_mask(mask)).argmax())]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_is_named_at_any_size_and_place(shape: str) -> None:
    for height in (14, 20, 31, 60):
        assert named(drawn(shape, height)) == shape


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_is_named_when_perspective_narrows_it_or_it_is_blurred(shape: str) -> None:
    assert named(drawn(shape, 40, stretch=0.9)) == shape
    assert named(drawn(shape, 40, blur=1.2)) == shape


def test_half_a_circle_agrees_less_than_a_whole_one() -> None:
    whole = drawn("circle", 40)
    half = whole.copy()
    half[:, 41:] = 0
    assert shape_scores(*normal_mask(half)).max() < 0.9 < shape_scores(*normal_mask(whole)).max()
