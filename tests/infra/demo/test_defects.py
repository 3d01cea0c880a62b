from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import cv2
import numpy as np
import pytest

from infra.demo.defects import DETAILS, Frame, Take, take_shot

FRAME = Frame(size=(160, 90), rate=Fraction(12), num_frames=30)


def shot(kind: str, detail: str, seed: int = 1) -> tuple[Take, np.ndarray]:
    """A take and all its pictures, (N, H, W, 3)."""
    take = take_shot(kind, detail, np.random.default_rng(seed), FRAME)
    return take, np.stack([picture.copy() for picture in take.pictures])


def sharpness(pictures: np.ndarray) -> float:
    return float(np.mean([cv2.Laplacian(picture, cv2.CV_32F).var() for picture in pictures]))


@pytest.mark.parametrize(
    ("kind", "detail"), [pytest.param(k, d, id=f"{k}: {d}") for k, ds in DETAILS.items() for d in ds]
)
def test_every_sort_of_shot_has_its_frames_and_is_the_same_again(kind: str, detail: str) -> None:
    take, pictures = shot(kind, detail)
    assert pictures.shape == (FRAME.num_frames, 90, 160, 3)
    assert 0 <= take.bad[0] < take.bad[1] <= FRAME.num_frames
    assert take.bad[1] - take.bad[0] > FRAME.num_frames / 2
    assert np.array_equal(pictures, shot(kind, detail)[1])


@pytest.mark.parametrize("detail", DETAILS["freeze"])
def test_a_frozen_shot_stands_in_just_the_frames_that_the_truth_tells(detail: str) -> None:
    take, pictures = shot("freeze", detail)
    stands = [np.array_equal(a, b) for a, b in pairwise(pictures)]
    assert stands == [take.bad[0] <= k < take.bad[1] - 1 for k in range(FRAME.num_frames - 1)]


@pytest.mark.parametrize("detail", DETAILS["letterbox"])
def test_bars_are_black_to_the_edge_of_the_crop_and_no_further(detail: str) -> None:
    take, pictures = shot("letterbox", detail)
    crop = take.crop
    assert crop is not None
    inside = np.zeros((90, 160), bool)
    inside[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width] = True
    assert not pictures[:, ~inside].any()
    assert pictures[:, inside].any(axis=(0, 2)).mean() > 0.99


@pytest.mark.parametrize("detail", DETAILS["slideshow"])
def test_slides_change_only_at_the_cuts_that_the_truth_tells(detail: str) -> None:
    take, pictures = shot("slideshow", detail)
    changing = {k + 1 for k, (a, b) in enumerate(pairwise(pictures)) if not np.array_equal(a, b)}
    allowed = {frame for cut in take.cuts for frame in range(cut.start, cut.end + 1)}
    assert changing <= allowed
    assert bool(changing) == (detail != "one picture")


def test_black_is_black_and_dark_is_not() -> None:
    for detail in DETAILS["black"]:
        assert shot("black", detail)[1].max() < 20
    assert np.percentile(shot("none", "dark")[1], 90) > 20


def test_blur_is_softer_than_a_scene_of_little_texture() -> None:
    soft = max(sharpness(shot("blur", detail, seed)[1]) for detail in DETAILS["blur"] for seed in (2, 3))
    plain = min(sharpness(shot("none", "plain", seed)[1]) for seed in (2, 3))
    assert soft < plain


def test_an_overlay_lies_within_its_boxes_while_the_scene_moves_below() -> None:
    take, pictures = shot("watermark", "corner")
    (box,) = take.boxes
    assert (box.x, box.y) != (0, 0)
    assert box.x + box.width <= 160
    assert box.y + box.height <= 90
    assert not np.array_equal(pictures[0], pictures[-1])


def test_a_shot_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="no blur 'sepia'"):
        take_shot("blur", "sepia", np.random.default_rng(0), FRAME)
