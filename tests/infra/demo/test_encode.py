from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from infra.demo.encode import Encoding, Image, decode, encode, weave


def ramp(num_frames: int = 6, size: tuple[int, int] = (96, 64)) -> list[Image]:
    """A bright square that walks over a colour ramp, unlike under any turn or mirror."""
    width, height = size
    frames = []
    for index in range(num_frames):
        frame = np.zeros((height, width, 3), np.uint8)
        frame[..., 0] = np.linspace(20, 220, width, dtype=np.uint8)
        frame[..., 2] = np.linspace(220, 40, height, dtype=np.uint8)[:, None]
        frame[8:24, 8 + 4 * index : 24 + 4 * index] = (240, 240, 240)
        frames.append(frame)
    return frames


def rotation_of(path: Path) -> int:
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).rotation


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mp4", "libx264", "yuv420p10le"),
        ("a.mkv", "libx264", "yuv444p"),
        ("a.mkv", "libx265", "yuv420p"),
        ("a.mp4", "libx265", "yuv420p10le"),
        ("a.webm", "libvpx-vp9", "yuv420p"),
        ("a.mp4", "mpeg4", "yuv420p"),
        ("a.avi", "mjpeg", "yuv420p"),
        ("a.mkv", "ffv1", "yuv420p"),
    ],
)
def test_what_is_written_is_what_is_read(tmp_path: Path, name: str, codec: str, pixel_format: str) -> None:
    frames = ramp()
    encoding = Encoding(codec=codec, pixel_format=pixel_format)
    if codec == "mjpeg":  # JPEG knows no other levels and no other matrix
        encoding = replace(encoding, full_range=True, matrix="bt601")
    assert encode(tmp_path / name, frames, encoding) == len(frames)
    read = list(decode(tmp_path / name))
    assert len(read) == len(frames)
    error = np.abs(np.stack(read).astype(int) - np.stack(frames))
    assert error.mean() < 4


def test_the_same_pictures_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv", "a.webm"):
        codec = "libvpx-vp9" if name == "a.webm" else "libx264"
        encode(tmp_path / name, ramp(), Encoding(codec=codec))
        once = (tmp_path / name).read_bytes()
        encode(tmp_path / name, ramp(), Encoding(codec=codec))
        assert (tmp_path / name).read_bytes() == once, name


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_player_that_turns_by_the_metadata_shows_the_pictures_upright(tmp_path: Path, turn: int) -> None:
    path = tmp_path / "a.mp4"
    frames = ramp()
    encode(path, frames, Encoding(rotation_deg=turn))
    coded = next(decode(path))
    # FFmpeg's angle is how far to turn counter-clockwise.
    upright = np.rot90(coded, rotation_of(path) // 90)
    assert upright.shape == frames[0].shape
    assert np.abs(upright.astype(int) - frames[0]).mean() < 5
    assert rotation_of(path) % 360 == -turn % 360


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_unequal_frame_times_reach_the_file(tmp_path: Path, name: str) -> None:
    pts = [0, 3000, 4500, 9000, 18000, 18900]
    encode(tmp_path / name, ramp(), Encoding(time_base=Fraction(1, 90000)), pts=pts)
    with av.open(str(tmp_path / name)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx([tick / 90000 for tick in pts], abs=0.0006)


@pytest.mark.parametrize(("full_range", "low", "high"), [(False, 16, 235), (True, 0, 255)])
def test_black_and_white_take_the_levels_of_the_range(tmp_path: Path, full_range: bool, low: int, high: int) -> None:
    frame = np.zeros((64, 64, 3), np.uint8)
    frame[:, 32:] = 255
    encode(tmp_path / "a.mkv", [frame], Encoding(codec="ffv1", full_range=full_range))
    with av.open(str(tmp_path / "a.mkv")) as container:
        luma = np.asarray(next(container.decode(video=0)).planes[0]).reshape(64, -1)[:, :64]
    assert (luma.min(), luma.max()) == (low, high)


def test_aspect_interlacing_sound_and_colour_are_marked(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    encoding = Encoding(
        sample_aspect=Fraction(4, 3), interlaced=True, audio=True, matrix="bt2020", transfer=16, primaries=9
    )
    encode(path, ramp(30), encoding)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frame = next(container.decode(stream))
        assert stream.sample_aspect_ratio == Fraction(4, 3)
        assert frame.interlaced_frame
        assert (frame.colorspace, frame.color_trc, frame.color_primaries) == (9, 16, 9)
        assert len(container.streams.audio) == 1


def test_weave_takes_even_lines_from_the_first_and_odd_ones_from_the_second() -> None:
    first, second = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 9, np.uint8)
    (woven,) = weave([first, second])
    assert [int(row[0, 0]) for row in woven] == [0, 9, 0, 9]


def test_a_film_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no frames"):
        encode(tmp_path / "a.mp4", [])
