from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from infra.demo.encode import Encoding, encode
from infra.demo.tiny import VFR_TIME_BASE, vfr_ticks
from schemas import ConfigError
from trainer.sampling import Size
from trainer.sampling.reading import placing, probe_media, read_media


def numbered(num: int, size: tuple[int, int] = (64, 48)) -> list[np.ndarray]:
    """Grey frames, each 8 brighter than the one before."""
    return [np.full((size[1], size[0], 3), 8 + 8 * k, np.uint8) for k in range(num)]


def greys(path: Path, rate: Fraction | int, most: int = 1000) -> list[int]:
    frames = read_media(path, probe_media(path), Size(64, 48), Fraction(rate), most, "crop")
    assert frames.shape[1:] == (48, 64, 3)
    return [round((float(frame.mean()) - 8) / 8) for frame in frames]


def test_each_frame_comes_once_at_the_clips_own_rate(tmp_path: Path) -> None:
    encode(tmp_path / "a.mp4", iter(numbered(20)), Encoding(frame_rate=Fraction(25)))
    assert greys(tmp_path / "a.mp4", 25) == list(range(20))


@pytest.mark.parametrize(("rate", "step"), [(50, 0.5), (12.5, 2), (5, 5)])
def test_another_rate_repeats_frames_or_leaves_some_out(tmp_path: Path, rate: float, step: float) -> None:
    encode(tmp_path / "a.mp4", iter(numbered(20)), Encoding(frame_rate=Fraction(25)))
    found = greys(tmp_path / "a.mp4", Fraction(rate))
    assert len(found) == round(20 / step)
    for place, grey in enumerate(found):
        assert abs(grey - place * step) <= max(1, step / 2)


def test_times_count_and_not_numbers_of_frames(tmp_path: Path) -> None:
    ticks = vfr_ticks(20, Fraction(25))
    encode(tmp_path / "a.mp4", iter(numbered(20)), Encoding(time_base=VFR_TIME_BASE), pts=ticks)
    found = greys(tmp_path / "a.mp4", 100)
    assert len(found) == pytest.approx(80, abs=4)
    seconds = [tick * float(VFR_TIME_BASE) for tick in ticks]
    for place, grey in list(enumerate(found))[:-4]:
        shown = max(k for k, at in enumerate(seconds) if at <= place / 100 + 0.006)
        assert abs(grey - shown) <= 1


def test_a_picture_is_one_frame_at_its_size(tmp_path: Path) -> None:
    Image.fromarray(numbered(4)[3]).save(tmp_path / "a.png")
    assert greys(tmp_path / "a.png", 24) == [3]


def test_a_longer_video_than_is_allowed_is_refused(tmp_path: Path) -> None:
    encode(tmp_path / "a.mp4", iter(numbered(20)), Encoding(frame_rate=Fraction(25)))
    with pytest.raises(ConfigError, match=r"a\.mp4: is longer than 19 frames"):
        greys(tmp_path / "a.mp4", 25, most=19)


def bands() -> np.ndarray:
    """A wide picture: red, green, blue from left to right."""
    picture = np.zeros((30, 90, 3), np.uint8)
    for k in range(3):
        picture[:, 30 * k : 30 * k + 30, k] = 255
    return picture


def test_another_aspect_is_cut_in_the_middle_or_shown_between_bars(tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    Image.fromarray(bands()).save(path)
    cut = read_media(path, probe_media(path), Size(60, 60), Fraction(1), 1, "crop")[0]
    assert (cut[..., 1] > 200).all()
    assert (cut[..., [0, 2]] < 50).all()
    whole = read_media(path, probe_media(path), Size(90, 90), Fraction(1), 1, "fit")[0]
    assert not whole[:30].any()
    assert not whole[60:].any()
    assert np.array_equal(whole[30:60], bands())


@pytest.mark.parametrize("native", [Size(1920, 1080), Size(1080, 1920), Size(7, 501), Size(640, 640)], ids=str)
@pytest.mark.parametrize("wanted", [Size(256, 256), Size(853, 480), Size(16, 400)], ids=str)
def test_a_cut_has_the_wanted_aspect_and_a_fit_lies_inside(native: Size, wanted: Size) -> None:
    cut = placing(native, wanted, "crop")
    x, y, width, height = cut.crop
    assert cut.size == wanted
    assert x >= 0 <= y
    assert x + width <= native.width
    assert y + height <= native.height
    assert abs(width * wanted.height - height * wanted.width) <= max(wanted)
    assert width == native.width or height == native.height
    fitted = placing(native, wanted, "fit")
    assert fitted.crop == (0, 0, *native)
    assert fitted.size.width == wanted.width or fitted.size.height == wanted.height
    assert fitted.size.width <= wanted.width
    assert fitted.size.height <= wanted.height


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\nrubbish", b"#EXTM3U\nhttp://127.0.0.1/a.ts\n", b"\0" * 5000])
def test_what_does_not_decode_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "bad.mp4").write_bytes(data)
    with pytest.raises(ConfigError, match=r"bad\.mp4: "):
        probe_media(tmp_path / "bad.mp4")
