from __future__ import annotations

import av
import cv2
import numpy as np
import pytest

from pipeline.media.planes import LumaReader, PlaneBatch

FORMATS = [
    "yuv420p",
    "yuvj420p",
    "yuv422p",
    "yuv444p",
    "yuv420p10le",
    "yuva420p",
    "nv12",
    "gbrp",
    "rgb24",
    "bgra",
]


def picture(seed: int = 0, width: int = 640, height: int = 360) -> np.ndarray:
    coarse = np.random.default_rng(seed).uniform(0, 255, (4, 6, 3)).astype(np.float32)
    return np.clip(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def frame(seed: int = 0, fmt: str = "yuv420p", **size: int) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(picture(seed, **size), format="rgb24").reformat(format=fmt)


def full_range_ycc(rgb: np.ndarray) -> np.ndarray:
    """BT.601, full range, averaged over 48x27 areas."""
    red, green, blue = np.moveaxis(rgb.astype(np.float64), -1, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    ycc = np.stack([luma, 128 + (blue - luma) * 0.564334, 128 + (red - luma) * 0.713267], -1)
    return cv2.resize(ycc, (48, 27), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("fmt", FORMATS)
def test_thumbnails_are_full_range_whatever_the_format(fmt):
    batch = PlaneBatch(4)
    batch.add(frame(1, fmt))
    thumb = batch.thumbs()[0].astype(float)
    error = np.abs(thumb - full_range_ycc(picture(1)))
    # FAST_BILINEAR puts everything about half a pixel of 192 to the left, the same in every frame.
    assert error.mean() < 3.5
    assert abs(thumb.mean((0, 1)) - full_range_ycc(picture(1)).mean((0, 1))).max() < 2


def test_a_batch_gives_the_same_thumbnails_as_its_frames_alone():
    together = PlaneBatch(8)
    alone = []
    for seed, fmt in enumerate(["yuv420p", "yuvj420p", "yuv420p", "rgb24", "yuv444p"]):
        together.add(frame(seed, fmt))
        single = PlaneBatch(1)
        single.add(frame(seed, fmt))
        alone.append(single.thumbs()[0])
    assert np.array_equal(together.thumbs(), np.stack(alone))
    assert together.is_full_range.tolist() == [False, True, False, True, False]


def test_a_cleared_batch_keeps_nothing_of_the_one_before():
    batch = PlaneBatch(2)
    batch.add(frame(1, "yuvj420p"))
    batch.add(frame(2))
    first = batch.thumbs().copy()
    batch.clear()
    batch.add(frame(2))
    assert np.array_equal(batch.thumbs()[0], first[1])


def test_a_full_batch_takes_no_more():
    batch = PlaneBatch(1)
    batch.add(frame())
    with pytest.raises(ValueError, match="1 frames"):
        batch.add(frame())


def test_limited_black_and_white_become_0_and_255():
    source = av.VideoFrame(64, 48, "yuv420p")
    for plane, code in zip(source.planes, (16, 128, 128), strict=True):
        plane.update(bytes([code]) * np.frombuffer(plane, np.uint8).size)
    batch = PlaneBatch(2)
    batch.add(source)
    source.planes[0].update(bytes([235]) * np.frombuffer(source.planes[0], np.uint8).size)
    batch.add(source)
    assert batch.thumbs()[0].reshape(-1, 3).tolist() == [[0, 128, 128]] * 27 * 48
    assert batch.thumbs()[1].reshape(-1, 3).tolist() == [[255, 128, 128]] * 27 * 48


@pytest.mark.parametrize("fmt", ["yuv420p", "yuvj444p", "yuv420p10le", "nv12", "rgb24", "bgra", "yuyv422"])
def test_native_luma_is_the_pictures_own_at_its_own_size(fmt):
    size = {"width": 322, "height": 242}
    source = frame(3, fmt, **size)
    luma = LumaReader().read(source)
    assert luma.pixels.shape == (242, 322)
    eight_bit = (luma.pixels.astype(float) - luma.black) / luma.step * (255 / 219 if luma.black else 1)
    red, green, blue = np.moveaxis(picture(3, **size).astype(float), -1, 0)
    expected = 0.299 * red + 0.587 * green + 0.114 * blue
    assert np.abs(eight_bit - expected).mean() < 3
