from __future__ import annotations

import math
from dataclasses import fields
from itertools import pairwise

import cv2
import numpy as np
import pytest

from pipeline.scan.borders import Crop
from pipeline.scan.scores import score
from schemas import TABLES, ScanScores

WIDTH, HEIGHT = 480, 270


def texture(width: int = WIDTH, height: int = HEIGHT, seed: int = 0, cell: int = 15) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (height // cell + 2, width // cell + 2, 3)).astype(np.float32)
    return np.clip(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def moved(picture: np.ndarray, right: float, down: float = 0.0, zoom: float = 1.0) -> np.ndarray:
    """The middle of a larger picture, moved and enlarged."""
    height, width = picture.shape[:2]
    about = np.array([[zoom, 0, right + (1 - zoom) * width / 2], [0, zoom, down + (1 - zoom) * height / 2]])
    whole = cv2.warpAffine(picture, about, (width, height), flags=cv2.INTER_LINEAR)
    top, left = (height - HEIGHT) // 2, (width - WIDTH) // 2
    return whole[top : top + HEIGHT, left : left + WIDTH]


def scores(log, crop: Crop | None = None) -> ScanScores:
    edges = np.append(log.pts, log.end_pts)
    return score(log, edges, 0, log.num_frames, crop or Crop(0, 0, log.frame_width, log.frame_height))


WIDE = texture(WIDTH + 400, HEIGHT + 200)


def test_the_columns_are_those_of_the_table():
    columns = TABLES["scores/scan"].schema
    assert columns.names == ["clip_id", "video_id", *(field.name for field in fields(ScanScores))]
    assert all(columns.field(field.name).metadata[b"doc"] for field in fields(ScanScores))


@pytest.mark.parametrize("speed", [0.05, 0.2, 0.4])
def test_a_steady_pan_is_camera_motion_without_shake_or_moving_area(measured, speed):
    found = scores(measured([moved(WIDE, speed * WIDTH * (k / 24 - 1)) for k in range(48)]))
    assert found.camera_motion == pytest.approx(speed, rel=0.1)
    assert found.motion_mean == pytest.approx(speed, rel=0.1)
    assert found.camera_shake < 0.1 * speed
    assert found.moving_area_ratio < 0.05


@pytest.mark.parametrize("rate", [12, 24, 60])
def test_speed_does_not_depend_on_the_frame_rate(measured, rate):
    pictures = [moved(WIDE, 0.1 * WIDTH * (k / rate - 1)) for k in range(2 * rate)]
    assert scores(measured(pictures, rate=rate)).camera_motion == pytest.approx(0.1, rel=0.1)


def test_a_shaking_camera_shakes_more_than_a_panning_one(measured):
    rng = np.random.default_rng(1)
    hands = np.cumsum(rng.normal(0, 2, (72, 2)), axis=0)
    shaken = scores(measured([moved(WIDE, *hand) for hand in hands]))
    steady = scores(measured([moved(WIDE, 0.1 * WIDTH * (k / 24 - 1)) for k in range(72)]))
    assert shaken.camera_shake > 5 * steady.camera_shake


def test_zoom_is_told_with_its_sign(measured):
    into = scores(measured([moved(WIDE, 0, zoom=1.2 ** (k / 24)) for k in range(48)]))
    out = scores(measured([moved(WIDE, 0, zoom=1.2 ** (1 - k / 24)) for k in range(48)]))
    assert into.camera_zoom == pytest.approx(math.log(1.2), rel=0.25)
    assert out.camera_zoom == pytest.approx(-math.log(1.2), rel=0.25)
    assert into.moving_area_ratio < 0.1


def test_an_object_moves_against_the_camera_and_the_camera_stands(measured):
    back, front = texture(seed=1), texture(120, 120, seed=2)
    pictures = []
    for k in range(48):
        picture = back.copy()
        picture[80:200, 40 + 4 * k : 160 + 4 * k] = front
        pictures.append(picture)
    found = scores(measured(pictures))
    assert found.camera_motion < 0.01
    # The square covers a ninth of the picture; flow bleeds a little over its edges.
    assert 0.08 < found.moving_area_ratio < 0.22
    assert abs(found.camera_zoom) < 0.01


def test_borders_do_not_dilute_scores_of_the_picture(measured):
    pictures = [moved(WIDE, 0.2 * WIDTH * (k / 24 - 1)) for k in range(48)]
    boxed = [cv2.copyMakeBorder(picture, 70, 70, 0, 0, cv2.BORDER_CONSTANT) for picture in pictures]
    plain, found = scores(measured(pictures)), scores(measured(boxed), Crop(0, 70, WIDTH, HEIGHT))
    assert found.border_area_ratio == pytest.approx(140 / (HEIGHT + 140))
    assert found.motion_mean == pytest.approx(plain.motion_mean, rel=0.1)
    for name in ("luma_mean", "saturation_mean", "luma_spread", "sharpness"):
        assert getattr(found, name) == pytest.approx(getattr(plain, name), rel=0.1), name
    assert found.dark_area_ratio == pytest.approx(plain.dark_area_ratio, abs=0.02)


def test_blur_lowers_sharpness(measured):
    sharp = [texture(cell=6)] * 30
    blurred = [cv2.GaussianBlur(picture, (0, 0), 4) for picture in sharp]
    assert scores(measured(blurred)).sharpness < 0.4 * scores(measured(sharp)).sharpness


@pytest.mark.parametrize(
    ("colour", "luma", "saturation", "dark", "bright"),
    [
        pytest.param((0, 0, 0), 0.0, 0.0, 1, 0, id="black"),
        pytest.param((255, 255, 255), 1.0, 0.0, 0, 1, id="white"),
        pytest.param((128, 128, 128), 0.5, 0.0, 0, 0, id="grey"),
        pytest.param((255, 0, 0), 0.21, 1.0, 0, 0, id="red"),
    ],
)
def test_exposure_and_saturation_of_plain_colours(measured, colour, luma, saturation, dark, bright):
    found = scores(measured([np.full((HEIGHT, WIDTH, 3), colour, np.uint8)] * 30))
    assert found.luma_mean == pytest.approx(luma, abs=0.02)
    assert found.saturation_mean == pytest.approx(saturation, abs=0.03)
    assert (found.dark_area_ratio, found.bright_area_ratio) == (dark, bright)


def test_a_freeze_counts_by_its_time_and_a_repeat_as_a_duplicate(measured):
    film = [moved(WIDE, 3.0 * k - 100) for k in range(60)]
    frozen = scores(measured(film[:24] + [film[24]] * 24 + film[25:49]))
    assert frozen.freeze_ratio == pytest.approx(24 / 72, abs=0.02)
    assert frozen.duplicate_frame_ratio == 0
    # Film at 24 a second, shown at 30: every fourth frame twice.
    pulled = [picture for k, picture in enumerate(film[:48]) for _ in range(1 + (k % 4 == 3))]
    repeated = scores(measured(pulled, rate=30))
    assert repeated.freeze_ratio == 0
    assert repeated.duplicate_frame_ratio == pytest.approx(0.2, abs=0.02)


def test_a_slideshow_is_one_in_spite_of_compression_noise(measured):
    rng = np.random.default_rng(3)
    slide = texture(seed=4)
    noisy = [np.clip(slide + rng.normal(0, 2, slide.shape), 0, 255).astype(np.uint8) for _ in range(72)]
    found = scores(measured(noisy))
    assert found.slideshow_ratio == 1
    assert found.freeze_ratio == 0
    assert scores(measured([moved(WIDE, 2.0 * k - 72) for k in range(72)])).slideshow_ratio == 0


def test_black_frames_count_by_their_time(measured):
    black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    found = scores(measured([texture()] * 36 + [black] * 36))
    assert found.black_frame_ratio == pytest.approx(0.5, abs=0.05)


def test_woven_fields_comb_and_whole_frames_do_not(measured):
    whole = [moved(WIDE, 6.0 * k - 150) for k in range(49)]
    woven = []
    for first, second in pairwise(whole):
        picture = first.copy()
        picture[1::2] = second[1::2]
        woven.append(picture)
    assert scores(measured(whole)).combing_ratio < 0.005
    assert scores(measured(woven)).combing_ratio > 0.02


def test_uneven_times_show_in_the_variation_of_the_interval(measured):
    pictures = [texture()] * 40
    assert scores(measured(pictures)).frame_interval_variation == 0
    uneven = np.cumsum([1, 3] * 20).tolist()
    assert scores(measured(pictures, pts=uneven)).frame_interval_variation == pytest.approx(0.5, abs=0.05)


def test_one_frame_has_no_motion_and_its_other_scores(measured):
    row = scores(measured([texture()])).to_row()
    missing = {name for name, value in row.items() if value is None}
    assert missing == {
        "motion_mean",
        "camera_motion",
        "camera_zoom",
        "camera_shake",
        "moving_area_ratio",
        "slideshow_ratio",
    }
    assert all(math.isfinite(value) for value in row.values() if value is not None)
