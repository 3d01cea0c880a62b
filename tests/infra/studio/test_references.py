from __future__ import annotations

import shutil
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from infra.studio.references import References
from schemas import ConfigError, file_digest


@pytest.fixture
def references(tmp_path: Path) -> References:
    return References(tmp_path / "given", 60.0)


def take(references: References, path: Path) -> str:
    scratch = references.scratch()
    shutil.copyfile(path, scratch)
    return references.keep(scratch)


def test_a_picture_and_a_video_are_kept_under_names_of_our_own(
    references: References, picture: Path, video: Path, tmp_path: Path
) -> None:
    name = take(references, picture)
    assert name == file_digest(picture)[:32]
    found = references.find(name)
    assert found is not None
    assert found.to_json() == {"is_image": True, "width": 96, "height": 48, "seconds": None}
    assert found.path.read_bytes() == picture.read_bytes()
    with Image.open(BytesIO(references.picture(name).read_bytes())) as shown:
        assert (shown.format, shown.size) == ("JPEG", (96, 48))
    found = References(tmp_path / "given", 60.0).find(take(references, video))
    assert found is not None
    assert found.to_json() == {"is_image": False, "width": 40, "height": 32, "seconds": pytest.approx(2.0)}


def test_the_same_bytes_are_there_once(references: References, picture: Path, tmp_path: Path) -> None:
    assert take(references, picture) == take(references, picture)
    assert len(list((tmp_path / "given").iterdir())) == 3


@pytest.mark.parametrize("data", [b"", b"<script>", b"\x89PNG\r\n\x1a\nrubbish", b"#EXTM3U\nfile:///etc/passwd\n"])
def test_what_does_not_decode_is_one_sentence_and_leaves_nothing(
    references: References, tmp_path: Path, data: bytes
) -> None:
    scratch = references.scratch()
    scratch.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        references.keep(scratch)
    assert str(tmp_path) not in str(caught.value)
    assert list((tmp_path / "given").iterdir()) == []


def test_there_is_room_for_so_much(picture: Path, video: Path, tmp_path: Path) -> None:
    references = References(tmp_path / "given", 60.0, max_bytes=picture.stat().st_size + 10)
    take(references, picture)
    with pytest.raises(ConfigError, match="there is no room"):
        take(references, video)
    assert take(references, picture)


def test_a_video_that_is_too_long_is_refused_before_it_is_decoded(video: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^the video has 2.0 s, and at most 1.5 \(max_seconds\) are taken$"):
        take(References(tmp_path / "given", 1.5), video)


@pytest.mark.parametrize("name", ["", "..", "../../etc/passwd", "a" * 31, "A" * 32, "a" * 32])
def test_what_was_never_given_is_not_found(references: References, name: str) -> None:
    assert references.find(name) is None


def test_what_an_ended_server_left_half_is_taken_away(references: References, tmp_path: Path) -> None:
    references.scratch().write_bytes(b"half")
    References(tmp_path / "given", 60.0)
    assert list((tmp_path / "given").iterdir()) == []
