from __future__ import annotations

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from pipeline.media.color import PEAK, RgbConverter, color_of, to_rgb, tone_map

BT709, BT601, UNDECLARED = 1, 6, 2
LIMITED, FULL = int(ColorRange.MPEG), int(ColorRange.JPEG)


def solid(
    codes: tuple[int, ...], *, fmt: str = "yuv420p", height: int = 48, matrix: int = 2, range_: int = 0
) -> av.VideoFrame:
    frame = av.VideoFrame(64, height, fmt)
    for plane, code in zip(frame.planes, codes, strict=True):
        dtype = np.uint16 if "10le" in fmt else np.uint8
        size = np.frombuffer(plane, dtype).size
        plane.update(np.full(size, code, dtype).tobytes())
    frame.colorspace = matrix
    frame.color_range = range_
    return frame


@pytest.mark.parametrize(
    ("codes", "fmt", "matrix", "range_", "height"),
    [
        pytest.param((63, 102, 240), "yuv420p", BT709, LIMITED, 48, id="709 limited"),
        pytest.param((81, 90, 240), "yuv420p", BT601, LIMITED, 48, id="601 limited"),
        pytest.param((54, 99, 255), "yuv420p", BT709, FULL, 48, id="709 full"),
        pytest.param((76, 85, 255), "yuvj420p", BT601, 0, 48, id="yuvj is full though undeclared"),
        pytest.param((250, 409, 960), "yuv420p10le", BT709, LIMITED, 48, id="709 limited 10 bit"),
        pytest.param((81, 90, 240), "yuv420p", UNDECLARED, 0, 480, id="undeclared SD is 601 limited"),
        pytest.param((63, 102, 240), "yuv420p", UNDECLARED, 0, 720, id="undeclared HD is 709 limited"),
    ],
)
def test_red_comes_out_red_whatever_the_matrix_the_range_and_the_depth(codes, fmt, matrix, range_, height):
    rgb = to_rgb(solid(codes, fmt=fmt, matrix=matrix, range_=range_, height=height), 32, 24)
    assert rgb.shape == (24, 32, 3)
    assert rgb.dtype == np.uint8
    assert np.abs(rgb.astype(int) - (255, 0, 0)).max() <= 3


@pytest.mark.parametrize("fmt", ["rgb24", "bgra", "gbrp", "gray"])
def test_formats_that_are_not_yuv_keep_their_values(fmt):
    picture = np.full((48, 64, 3), (200, 200, 200), np.uint8)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=fmt)
    assert np.abs(to_rgb(frame, 64, 48).astype(int) - 200).max() <= 2


def test_a_converter_follows_a_stream_that_changes_its_size_and_format():
    converter = RgbConverter()
    for fmt, height in (("yuv420p", 48), ("yuv420p10le", 96), ("rgb24", 50)):
        frame = av.VideoFrame.from_ndarray(np.full((height, 64, 3), 90, np.uint8), format="rgb24")
        rgb = converter.to_rgb(frame.reformat(format=fmt), 40, 20)
        assert np.abs(rgb.astype(int) - 90).max() <= 2


def test_conversion_leaves_the_frame_as_it_was():
    frame = solid((63, 102, 240), matrix=UNDECLARED, height=720)
    to_rgb(frame, 32, 24)
    assert (frame.colorspace, frame.color_range) == (UNDECLARED, 0)
    assert color_of(frame).matrix == int(Colorspace.ITU709)


def pq_code(nits: float) -> int:
    """Source: SMPTE ST 2084, equation 5.2."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = (nits / 10000) ** m1
    return round(65535 * ((c1 + c2 * power) / (1 + c3 * power)) ** m2)


def grey(code: int) -> np.ndarray:
    return np.full((1, 1, 3), code, np.uint16)


def test_pq_keeps_what_is_below_the_knee_and_puts_the_peak_at_white():
    def srgb(light: float) -> float:
        return 255 * (1.055 * light ** (1 / 2.4) - 0.055)

    dim = tone_map(grey(pq_code(203 * 0.4)), "pq", wide_primaries=True)
    assert np.abs(dim.astype(float) - srgb(0.4)).max() <= 1.5
    assert tone_map(grey(pq_code(203 * PEAK)), "pq", wide_primaries=True).min() >= 254
    assert tone_map(grey(65535), "pq", wide_primaries=True).min() >= 254
    assert tone_map(grey(0), "pq", wide_primaries=True).max() == 0


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
def test_more_light_never_comes_out_darker(transfer):
    ramp = np.repeat(np.arange(0, 65536, 257, dtype=np.uint16)[None, :, None], 3, axis=2)
    out = tone_map(ramp, transfer, wide_primaries=True).astype(int)
    assert (np.diff(out, axis=1) >= 0).all()
    assert out.max() >= 254


def test_reference_white_of_hlg_lands_where_that_of_pq_does():
    # Source: ITU-R BT.2408, table 1: diffuse white is 75 % of HLG and 58 % of PQ.
    hlg = tone_map(grey(round(0.75 * 65535)), "hlg", wide_primaries=True).astype(int)
    pq = tone_map(grey(round(0.58 * 65535)), "pq", wide_primaries=True).astype(int)
    assert np.abs(hlg - pq).max() <= 4


def test_an_unknown_transfer_is_refused_by_name():
    with pytest.raises(ValueError, match="bt1886"):
        tone_map(grey(0), "bt1886", wide_primaries=False)
