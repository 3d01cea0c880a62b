from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from infra.demo.encode import Encoding, encode
from pipeline.media import MediaLimits
from pipeline.media.container import open_container, select_stream
from pipeline.media.decode import Decoding
from pipeline.media.displayed import DisplayedCrop
from pipeline.media.probe import probe
from schemas.video import Probe

CORNERS = {
    "top left": (230, 20, 20),
    "top right": (20, 210, 20),
    "bottom left": (20, 20, 230),
    "bottom right": (220,) * 3,
}


def quarters(width: int, height: int) -> np.ndarray:
    """A picture with a colour of its own in each corner."""
    picture = np.empty((height, width, 3), np.uint8)
    for name, colour in CORNERS.items():
        rows = slice(None, height // 2) if "top" in name else slice(height // 2, None)
        columns = slice(None, width // 2) if "left" in name else slice(width // 2, None)
        picture[rows, columns] = colour
    return picture


def shown(path: Path) -> tuple[Probe, av.VideoFrame]:
    with open_container(path) as container:
        probed = probe(container)
    with open_container(path) as container:
        first = next(iter(Decoding(container, select_stream(container, 0, MediaLimits()), MediaLimits())))
        return probed, first.frame


def at(picture: np.ndarray, x: float, y: float) -> list[int]:
    height, width = picture.shape[:2]
    return [int(value) for value in picture[int(y * height), int(x * width)]]


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("aspect", [Fraction(1), Fraction(4, 3), Fraction(2, 3)])
@pytest.mark.parametrize("size", [(96, 64), (40, 72)])
def test_a_picture_is_shown_upright_whatever_the_file_turns(
    tmp_path: Path, rotation: int, aspect: Fraction, size: tuple[int, int]
) -> None:
    path = tmp_path / "a.mp4"
    encode(path, [quarters(*size)] * 2, Encoding(rotation_deg=rotation, sample_aspect=aspect))
    probed, frame = shown(path)
    assert probed.rotation_deg == rotation
    whole = (0, 0, probed.width, probed.height)
    for width, height in ((probed.width, probed.height), (28, 56), (56, 28)):
        picture = DisplayedCrop(probed, whole, width, height)(frame)
        assert picture.shape == (height, width, 3)
        assert picture.flags.c_contiguous
        for name, colour in CORNERS.items():
            x, y = 0.25 + 0.5 * ("right" in name), 0.25 + 0.5 * ("bottom" in name)
            assert np.abs(np.subtract(at(picture, x, y), colour)).max() < 25, name


def plain(width: int, height: int, **values: object) -> Probe:
    empty = {"container": "", "codec": "", "pixel_format": "", "frame_rate": None, "is_vfr": None, "is_image": False}
    colour = dict.fromkeys(("color_primaries", "color_transfer", "color_matrix", "color_range"), "unspecified")
    given = {"num_frames": 1, "duration_s": 1.0, "has_audio": False, "field_order": "progressive", "rotation_deg": 0}
    size = {"width": width, "height": height, "coded_width": width, "coded_height": height, "stream_index": 0}
    return Probe(**{**empty, **colour, **given, **size, **values})  # type: ignore[arg-type]


def noise(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("crop", [(0, 0, 60, 40), (10, 4, 30, 20), (59, 39, 1, 1), (0, 20, 60, 20)])
def test_a_crop_at_native_size_is_cut_and_not_scaled(crop: tuple[int, int, int, int]) -> None:
    source = noise(60, 40)
    frame = av.VideoFrame.from_ndarray(source, format="rgb24")
    x, y, width, height = crop
    picture = DisplayedCrop(plain(60, 40), crop, width, height)(frame)
    assert np.array_equal(picture, source[y : y + height, x : x + width])


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("is_mirrored", [False, True])
def test_a_crop_is_of_the_displayed_picture(rotation: int, is_mirrored: bool) -> None:
    source = noise(60, 40)
    frame = av.VideoFrame.from_ndarray(source, format="rgb24")
    whole = np.rot90(source[:, ::-1] if is_mirrored else source, -rotation // 90)
    high, wide = whole.shape[:2]
    probed = replace(plain(wide, high), rotation_deg=rotation, is_mirrored=is_mirrored)
    picture = DisplayedCrop(probed, (7, 5, 20, 30), 20, 30)(frame)
    assert np.array_equal(picture, whole[5:35, 7:27])


def test_a_crop_that_is_scaled_is_the_mean_of_what_it_covers() -> None:
    source = noise(80, 60)
    frame = av.VideoFrame.from_ndarray(source, format="rgb24")
    picture = DisplayedCrop(plain(80, 60), (20, 12, 40, 24), 10, 6)(frame)
    means = source[12:36, 20:60].reshape(6, 4, 10, 4, 3).mean(axis=(1, 3))
    assert np.abs(picture - means).max() <= 2


def test_sizes_that_do_not_divide_stay_inside_the_picture() -> None:
    frame = av.VideoFrame.from_ndarray(noise(61, 37), format="rgb24")
    for x in range(0, 30, 7):
        picture = DisplayedCrop(plain(61, 37), (x, 3, 61 - x, 34), 28, 28)(frame)
        assert picture.shape == (28, 28, 3)
