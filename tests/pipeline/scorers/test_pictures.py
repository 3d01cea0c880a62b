from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.scorers.pictures import CropShape, cut, decode, jpeg_size

SIDES = st.integers(1, 4000)


def jpeg(height: int, width: int, *options: int) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    return cv2.imencode(".jpg", noise, options)[1].tobytes()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 500), (288, 512), (2048, 5)])
def test_the_size_in_the_header_is_that_of_the_picture(height: int, width: int) -> None:
    data = jpeg(height, width)
    assert jpeg_size(data) == (width, height)
    picture = decode(data)
    assert picture is not None
    assert picture.shape == (height, width, 3)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(jpeg(20, 20, cv2.IMWRITE_JPEG_PROGRESSIVE, 1), id="progressive"),
        pytest.param(jpeg(20, 20)[:-30], id="cut off"),
        pytest.param(jpeg(5000, 5000, cv2.IMWRITE_JPEG_QUALITY, 1), id="25 megapixels"),
        pytest.param(cv2.imencode(".png", np.zeros((9, 9, 3), np.uint8))[1].tobytes(), id="another format"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xd8\xff\xd9", id="nothing in it"),
    ],
)
def test_what_we_did_not_write_is_not_decoded(data: bytes) -> None:
    assert decode(data) is None


@given(st.binary(max_size=60))
def test_no_bytes_upset_the_reader_of_sizes(noise: bytes) -> None:
    assert jpeg_size(noise) is None
    jpeg_size(b"\xff\xd8" + noise + b"\xff\xd9")
    decode(b"\xff\xd8" + noise + b"\xff\xd9")


@given(width=SIDES, height=SIDES, left=SIDES, top=SIDES, wide=SIDES, high=SIDES)
def test_a_cut_has_at_least_one_pixel_and_the_place_of_the_crop(
    width: int, height: int, left: int, top: int, wide: int, high: int
) -> None:
    picture = np.zeros((90, 160, 3), np.uint8)
    shape = CropShape(width=width, height=height, crop_x=left, crop_y=top, crop_width=wide, crop_height=high)
    part = cut(picture, shape)
    assert part.shape[0] >= 1
    assert part.shape[1] >= 1
    if left + wide <= width:
        assert abs(part.shape[1] - wide * 160 / width) <= 1


def test_without_a_crop_the_picture_is_whole() -> None:
    shape = CropShape(width=640, height=360, crop_x=0, crop_y=0, crop_width=640, crop_height=360)
    assert cut(np.zeros((288, 512, 3), np.uint8), shape).shape == (288, 512, 3)
