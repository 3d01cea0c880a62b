from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.storage import filesystem, is_remote, read_chunks, spooled, to_path, to_uri
from schemas import ConfigError, ErrorKind, MediaError

_NAME_PARTS = st.sampled_from(["\\", "x", "c", "3", "e9", "\\x41", "\\x5c", "a", "é", " "]).map(os.fsencode)
_RAW_NAMES = st.lists(_NAME_PARTS | st.binary(min_size=1, max_size=3), max_size=8).map(b"".join)


@given(_RAW_NAMES)
def test_every_path_has_one_uri_and_the_way_back_is_exact(raw: bytes) -> None:
    uri = to_uri(raw)
    uri.encode("utf-8")
    assert to_path(uri).encode("utf-8", "surrogateescape") == raw


@given(_RAW_NAMES, _RAW_NAMES)
def test_different_paths_have_different_uris(one: bytes, other: bytes) -> None:
    assert (to_uri(one) == to_uri(other)) == (one == other)


@pytest.mark.parametrize(
    ("raw", "uri"),
    [
        pytest.param(b"caf\xe9.mp4", r"caf\xe9.mp4", id="not UTF-8"),
        pytest.param("日本 %20#?.mp4".encode(), "日本 %20#?.mp4", id="UTF-8 is itself"),
        pytest.param(rb"back\slash.mp4", r"back\slash.mp4", id="a backslash is itself"),
        pytest.param(rb"a\xe9.mp4", r"a\x5cxe9.mp4", id="a backslash that would read as an escape"),
        pytest.param(b"new\nline", "new\nline", id="control characters are themselves"),
    ],
)
def test_a_uri_is_the_path_with_undecodable_bytes_escaped(raw: bytes, uri: str) -> None:
    assert to_uri(raw) == uri


@pytest.mark.parametrize(
    ("text", "remote"),
    [
        ("s3://bucket/a", True),
        ("memory://a", True),
        ("file:///a", False),
        ("http:x.mp4", False),
        ("concat:a.mp4|b.mp4", False),
        ("C:drive.mp4", False),
        ("/a://b", False),
    ],
)
def test_only_urls_are_remote(text: str, *, remote: bool) -> None:
    assert is_remote(text) is remote


def test_a_missing_package_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^gs://bucket/a: gs:// needs a package .*gcsfs"):
        filesystem("gs://bucket/a")


def test_an_unknown_kind_of_url_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^s4://bucket/a: files cannot be read from s4://"):
        filesystem("s4://bucket/a")


def test_a_local_file_is_used_where_it_lies(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9.mp4"
    Path(os.fsdecode(raw)).write_bytes(b"bytes")
    with spooled(to_uri(raw)) as path:
        assert os.fsencode(path) == raw


@pytest.mark.parametrize("key", ["a.mp4", "a::b.mp4", "with space+%20#x?y=1.mp4", "日本/né.mp4", "d//e.mp4"])
def test_an_object_is_copied_whole_and_the_copy_has_no_name(s3, tmp_path: Path, key: str) -> None:
    data = os.urandom(9 * 2**20 + 17)
    url = s3.put(key, data)
    with spooled(url, temp_dir=str(tmp_path)) as path:
        assert Path(path).read_bytes() == data
        assert Path(path).stat().st_size == len(data)
        assert list(tmp_path.iterdir()) == []
        assert subprocess.run(["cat", path], capture_output=True, check=True).stdout == data
    assert not os.path.exists(path)


def test_an_object_that_is_too_long_is_refused(s3) -> None:
    url = s3.put("a.mp4", bytes(1000))
    with pytest.raises(MediaError, match="longer than 999 bytes") as raised, spooled(url, max_bytes=999):
        pass
    assert raised.value.kind is ErrorKind.too_large


@pytest.mark.parametrize("url", ["s3://{bucket}/missing.mp4", "s3://no-such-bucket-here/a.mp4", "memory://missing"])
def test_what_cannot_be_read_is_an_io_error(s3, url: str) -> None:
    with pytest.raises(MediaError) as raised:
        list(read_chunks(url.format(bucket=s3.bucket)))
    assert raised.value.kind is ErrorKind.io


def test_a_server_that_is_not_there_is_an_io_error() -> None:
    with pytest.raises(MediaError) as raised:
        list(read_chunks("http://127.0.0.1:9/film.mp4"))
    assert raised.value.kind is ErrorKind.io


def test_a_temporary_folder_that_cannot_hold_the_copy_is_an_io_error(s3) -> None:
    url = s3.put("a.mp4", bytes(1000))
    refused = pytest.raises(MediaError, match="cannot be copied to /nowhere")
    with refused as raised, spooled(url, temp_dir="/nowhere/at/all"):
        pass
    assert raised.value.kind is ErrorKind.io


def test_a_file_on_a_web_server_is_copied_in_one_request(web) -> None:
    data = os.urandom(9 * 2**20)
    with spooled(web.put("film.mp4", data)) as path:
        assert Path(path).read_bytes() == data
