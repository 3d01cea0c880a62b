from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.scan.edges import edge_map, edge_sharpness


def scene(contrast: float, sigma: float = 0.0, size: tuple[int, int] = (320, 180)) -> np.ndarray:
    """A few plain squares on a plain ground."""
    rng = np.random.default_rng(4)
    grey = np.full(size[::-1], 60.0)
    for _ in range(8):
        x, y = rng.integers(0, size[0] - 40), rng.integers(0, size[1] - 40)
        grey[y : y + 40, x : x + 40] = 60 + contrast * rng.uniform(0.5, 1)
    if sigma:
        grey = cv2.GaussianBlur(grey, (0, 0), sigma)
    return np.clip(grey + rng.normal(0, 1, grey.shape), 0, 255).astype(np.uint8)


def score(grey: np.ndarray) -> float:
    found = edge_sharpness(edge_map(grey))
    assert found is not None
    return found


@pytest.mark.parametrize("size", [(320, 180), (512, 288), (180, 320)])
def test_defocus_lowers_it_and_low_contrast_does_not(size: tuple[int, int]) -> None:
    sharp, faint = score(scene(150, size=size)), score(scene(25, size=size))
    blurred = score(scene(150, 3, size))
    assert min(sharp, faint) > 0.3
    assert blurred < 0.2


def test_a_picture_without_edges_has_none() -> None:
    assert edge_sharpness(edge_map(np.full((180, 320), 90, np.uint8))) is None
    ramp = np.linspace(80, 84, 320).astype(np.uint8)[None].repeat(180, axis=0)
    assert edge_sharpness(edge_map(ramp)) is None


def test_tiny_pictures_are_no_error() -> None:
    assert edge_map(np.full((3, 5), 7, np.uint8)).shape == (3, 5, 3)
