from __future__ import annotations

import cv2
import numpy as np
import pytest
from av import open as open_video

from pipeline.media.planes import LumaReader
from pipeline.scan.borders import Crop, find_crop
from pipeline.scan.look import light_profiles

WIDTH, HEIGHT = 640, 360


def scene(seed: int, width: int, height: int, brightness: float = 1.0) -> np.ndarray:
    coarse = np.random.default_rng(seed).uniform(10, 255, (6, 9, 3)).astype(np.float32) * brightness
    return np.clip(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), 0, 255).astype(np.uint8)


def framed(picture: np.ndarray, top: int, bottom: int, left: int = 0, right: int = 0) -> np.ndarray:
    return cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_CONSTANT)


def subtitled(picture: np.ndarray, line: int, text: str = "WHERE HAVE YOU BEEN ALL THIS TIME") -> np.ndarray:
    return cv2.putText(picture.copy(), text, (70, line), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2, cv2.LINE_AA)


def profiles(path) -> tuple[np.ndarray, np.ndarray]:
    reader = LumaReader()
    with open_video(str(path)) as container:
        both = [light_profiles(reader.read(frame)) for frame in container.decode(video=0)]
    rows, columns = zip(*both, strict=True)
    return np.stack(rows), np.stack(columns)


def crop_of(path) -> Crop:
    rows, columns = profiles(path)
    return find_crop(rows, columns, rows.max(0, keepdims=True), columns.max(0, keepdims=True))


def assert_near(crop: Crop, x: int, y: int, width: int, height: int) -> None:
    found = (crop.x, crop.y, crop.x + crop.width, crop.y + crop.height)
    assert max(abs(a - b) for a, b in zip(found, (x, y, x + width, y + height), strict=True)) <= 2, crop


@pytest.mark.parametrize("crf", [18, 34])
@pytest.mark.parametrize(
    ("codec", "fmt"), [("libx264", "yuv420p"), ("libx264", "yuv420p10le"), ("libx264", "yuvj420p")]
)
@pytest.mark.parametrize(
    ("top", "bottom", "left", "right"),
    [
        pytest.param(0, 0, 0, 0, id="none"),
        pytest.param(45, 45, 0, 0, id="letterbox"),
        pytest.param(0, 0, 80, 80, id="pillarbox"),
        pytest.param(31, 31, 57, 57, id="both, odd"),
        pytest.param(0, 22, 0, 0, id="below only"),
        pytest.param(0, 0, 219, 219, id="portrait in landscape"),
    ],
)
def test_borders_are_found_within_two_pixels(write_video, codec, fmt, crf, top, bottom, left, right):
    pictures = [
        framed(scene(seed, WIDTH - left - right, HEIGHT - top - bottom), top, bottom, left, right) for seed in range(3)
    ]
    path = write_video(pictures, codec=codec, fmt=fmt, crf=crf)
    assert_near(crop_of(path), left, top, WIDTH - left - right, HEIGHT - top - bottom)


@pytest.mark.parametrize("line", [HEIGHT - 24, HEIGHT - 34])
def test_subtitles_in_the_border_do_not_make_it_picture(write_video, line):
    pictures = [subtitled(framed(scene(seed, WIDTH, HEIGHT - 120), 60, 60), line) for seed in range(3)]
    assert_near(crop_of(write_video(pictures)), 0, 60, WIDTH, HEIGHT - 120)


def test_subtitles_in_the_picture_change_nothing(write_video):
    pictures = [subtitled(framed(scene(seed, WIDTH, HEIGHT - 120), 60, 60), HEIGHT - 80) for seed in range(3)]
    assert_near(crop_of(write_video(pictures)), 0, 60, WIDTH, HEIGHT - 120)


def test_a_dim_picture_keeps_its_borders_and_loses_nothing_else(write_video):
    pictures = [framed(scene(seed, WIDTH, HEIGHT - 90, 0.25), 45, 45) for seed in range(3)]
    assert_near(crop_of(write_video(pictures)), 0, 45, WIDTH, HEIGHT - 90)


def night(lamp_at: int) -> np.ndarray:
    """All black but for a soft lamp."""
    down, right = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    glow = 220 * np.exp(-((down - 200) ** 2 + (right - lamp_at) ** 2) / (2 * 40**2))
    return np.repeat(glow[..., None], 3, axis=2).astype(np.uint8)


def test_darkness_is_no_border(write_video):
    path = write_video([night(at) for at in (300, 320, 340)])
    assert crop_of(path) == Crop(0, 0, WIDTH, HEIGHT)


def test_a_dark_clip_takes_the_borders_of_its_video(write_video):
    bright = profiles(write_video([framed(scene(seed, WIDTH, HEIGHT - 90), 45, 45) for seed in range(3)], name="a.mp4"))
    dark = profiles(write_video([night(at) for at in (300, 320, 340)], name="b.mp4"))
    video = [np.concatenate(pair).max(0, keepdims=True) for pair in zip(bright, dark, strict=True)]
    assert_near(find_crop(*dark, *video), 0, 45, WIDTH, HEIGHT - 90)


def test_a_clip_with_deeper_borders_than_its_video_keeps_its_own(write_video):
    wide = profiles(write_video([scene(seed, WIDTH, HEIGHT) for seed in range(3)], name="a.mp4"))
    narrow = profiles(write_video([framed(scene(7, 480, HEIGHT), 0, 0, 80, 80)] * 3, name="b.mp4"))
    video = [np.concatenate(pair).max(0, keepdims=True) for pair in zip(wide, narrow, strict=True)]
    assert_near(find_crop(*narrow, *video), 80, 0, 480, HEIGHT)


def test_a_black_clip_is_not_cropped_to_nothing(write_video):
    path = write_video([np.zeros((HEIGHT, WIDTH, 3), np.uint8)] * 3)
    assert crop_of(path) == Crop(0, 0, WIDTH, HEIGHT)


def test_one_flash_in_many_looks_does_not_undo_the_border():
    rows, columns = np.full((12, HEIGHT), 255, np.uint8), np.full((12, WIDTH), 255, np.uint8)
    rows[:, :40] = rows[:, -40:] = 0
    rows[5] = 255
    assert find_crop(rows, columns, rows, columns) == Crop(0, 40, WIDTH, HEIGHT - 80)


def title(text: str = "MEANWHILE") -> np.ndarray:
    return cv2.putText(
        np.zeros((HEIGHT, WIDTH, 3), np.uint8), text, (60, 200), cv2.FONT_HERSHEY_DUPLEX, 3, (255, 255, 255), 8
    )


def test_a_title_on_black_is_no_border(write_video):
    assert crop_of(write_video([title()] * 3)) == Crop(0, 0, WIDTH, HEIGHT)


@pytest.mark.parametrize("picture", [title(), np.zeros((HEIGHT, WIDTH, 3), np.uint8)], ids=["title", "black"])
def test_a_title_and_black_take_the_borders_of_their_video(write_video, picture):
    film = profiles(write_video([framed(scene(seed, WIDTH, HEIGHT - 90), 45, 45) for seed in range(3)], name="a.mp4"))
    own = profiles(write_video([picture] * 3, name="b.mp4"))
    video = [np.concatenate(pair).max(0, keepdims=True) for pair in zip(film, own, strict=True)]
    assert_near(find_crop(*own, *video), 0, 45, WIDTH, HEIGHT - 90)


def test_ringing_beside_the_picture_leaves_the_bar_its_depth() -> None:
    rows = np.zeros((3, 180), np.uint8)
    rows[:, 28:152] = 224
    rows[:, 26:28], rows[0, 17:24] = 8, (10, 2, 3, 0, 0, 9, 0)
    columns = np.zeros((3, 320), np.uint8)
    columns[:, 21:299] = 180
    columns[0, 16:21] = (0, 10, 4, 13, 34)
    assert find_crop(rows, columns, rows, columns) == Crop(21, 28, 278, 124)


def test_stars_over_a_dark_horizon_are_no_ringing() -> None:
    rows = np.zeros((3, 180), np.uint8)
    rows[:, 10:100:7], rows[:, 110:] = 8, 230
    columns = np.full((3, 320), 100, np.uint8)
    assert find_crop(rows, columns, rows, columns) == Crop(0, 0, 320, 180)
