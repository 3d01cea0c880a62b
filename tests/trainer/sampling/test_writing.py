"""Files that are written, and what they say of themselves when they are read again."""

from __future__ import annotations

import io
import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from infra.demo.encode import Encoding, encode
from schemas import ConfigError
from trainer.sampling import Size
from trainer.sampling.provenance import read_record, record_of, with_png_text
from trainer.sampling.request import Frames
from trainer.sampling.writing import check_out, write

RECORD = record_of({"prompt": 'a "red" circle\n\u00e9 \U0001f534', "seed": 7, "model_digest": "d" * 32})


def gradient(num: int) -> Frames:
    rows, columns = np.mgrid[0:48, 0:64]
    frames = [np.stack([rows * 4, columns * 3, np.full_like(rows, 20 + 5 * k)], -1) for k in range(num)]
    return np.stack(frames).astype(np.uint8)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "out.mp4"
    write(path, gradient(9), Fraction(24000, 1001), 17, RECORD)
    return path


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "out.png"
    write(path, gradient(1), Fraction(24), 17, RECORD)
    return path


def test_a_video_has_its_frames_its_rate_and_its_record(video: Path) -> None:
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.average_rate == Fraction(24000, 1001)
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(stream)])
    assert frames.shape == (9, 48, 64, 3)
    assert np.abs(frames.astype(int) - gradient(9)).mean() < 3
    assert read_record(video) == RECORD
    assert RECORD["made_by_ai"] is True


def test_a_picture_is_exact_and_any_reader_sees_its_record(picture: Path) -> None:
    with Image.open(picture) as image:
        assert np.array_equal(np.asarray(image), gradient(1)[0])
        assert json.loads(image.text["comment"]) == RECORD  # type: ignore[attr-defined]
    assert read_record(picture) == RECORD


@pytest.mark.parametrize("name", ["a.mp4", "a.png"])
def test_the_same_frames_unsigned_give_the_same_bytes_and_leave_nothing_else(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    frames = gradient(1 if name.endswith("png") else 5)
    write(path, frames, Fraction(24), 17, RECORD)
    before = path.read_bytes()
    write(path, frames, Fraction(24), 17, RECORD)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == [name]


def test_a_long_prompt_survives(tmp_path: Path) -> None:
    record = record_of({"prompt": "\u00e9" * 16_000})
    for name in ("a.mp4", "a.png"):
        write(tmp_path / name, gradient(1), Fraction(24), 17, record)
        assert read_record(tmp_path / name) == record


def test_files_of_others_say_nothing(tmp_path: Path) -> None:
    encode(tmp_path / "film.mp4", iter(gradient(3)), Encoding())
    Image.fromarray(gradient(1)[0]).save(tmp_path / "photo.png")
    for name in ("film.mp4", "photo.png"):
        with pytest.raises(ConfigError, match="says nothing of where it comes from"):
            read_record(tmp_path / name)


def png(text: str) -> bytes:
    data = io.BytesIO()
    Image.fromarray(gradient(1)[0]).save(data, "png")
    return with_png_text(data.getvalue(), text)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "is empty|no bytes|empty", id="empty"),
        pytest.param(b"no media at all", ": ", id="text"),
        pytest.param(b"\x89PNG\r\n\x1a\n", "says nothing", id="only a signature"),
        pytest.param(
            b"\x89PNG\r\n\x1a\n" + b"\xff\xff\xff\xffiTXt" + b"x" * 50, "says nothing", id="a chunk without end"
        ),
        pytest.param(b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0abcd\0\0\0\0" * 9000, "says nothing", id="too many chunks"),
        pytest.param(png("{"), "says nothing", id="no JSON"),
        pytest.param(png("[" * 100_000), "says nothing", id="deep JSON"),
        pytest.param(png('{"format": "another"}'), "says nothing", id="another format"),
        pytest.param(
            png('{"format": "rushes-provenance", "version": 9}'), "is of version 9, and we read 1", id="version"
        ),
    ],
)
def test_damaged_and_hostile_files_end_in_one_sentence(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "file.png").write_bytes(data)
    with pytest.raises(ConfigError, match=message) as caught:
        read_record(tmp_path / "file.png")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone.mp4: cannot be read: No such file"):
        read_record(tmp_path / "gone.mp4")


def test_where_something_goes_is_checked_before_it_is_made(tmp_path: Path) -> None:
    assert check_out(tmp_path / "a.MP4", Size(64, 48))
    assert not check_out(tmp_path / "a.png", Size(63, 47))
    for path, message in (
        (tmp_path / "a.gif", "ends in .mp4 or .png"),
        (tmp_path / "none" / "a.mp4", "there is no folder"),
    ):
        with pytest.raises(ConfigError, match=message):
            check_out(path)
    with pytest.raises(ConfigError, match="even sides, got 63x48; 64x48 is the next size"):
        check_out(tmp_path / "a.mp4", Size(63, 48))
