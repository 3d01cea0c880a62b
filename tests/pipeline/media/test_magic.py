from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.media.magic import is_animated_webp, is_playlist, looks_like_media, picture_size

HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(HLS, id="HLS"),
        pytest.param("\n\n \t" + HLS, id="HLS after blank lines"),
        pytest.param("\ufeff" + HLS, id="HLS after a byte order mark"),
        pytest.param("#extm3u\nx.ts\n", id="in small letters"),
        pytest.param("ffconcat version 1.0\nfile x.mp4\n", id="ffconcat"),
        pytest.param('<?xml version="1.0"?>\n<!-- made by x -->\n<MPD xmlns="urn:mpeg:dash">', id="DASH"),
        pytest.param("<mpd:MPD xmlns:mpd='urn:mpeg:dash'>", id="DASH with a prefix"),
        pytest.param('<?xml version="1.0"?><SmoothStreamingMedia MajorVersion="2">', id="Smooth Streaming"),
        pytest.param('<asx version="3.0"><entry><ref href="x"/></entry></asx>', id="ASX"),
        pytest.param("[playlist]\nFile1=http://x/y.mp4\n", id="PLS"),
        pytest.param("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\n", id="SDP"),
        pytest.param("http://127.0.0.1/x.mp4\n", id="an address"),
        pytest.param("concat:a.mp4|b.mp4", id="a protocol of FFmpeg's"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_what_only_points_elsewhere_is_a_playlist(text: str, encoding: str) -> None:
    assert is_playlist((text.removeprefix("\ufeff") if encoding == "utf-16" else text).encode(encoding))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a note that mentions #EXTM3U\n",
        b"v=0 is where it starts",
        b"<!DOCTYPE html><html><body>404</body></html>",
        b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\0\0\0\x20ftypisom" + HLS.encode(),
        b"\x1aE\xdf\xa3" + HLS.encode(),
    ],
)
def test_other_files_are_no_playlists(data: bytes) -> None:
    assert is_playlist(data) is None


@given(st.binary(max_size=300))
def test_any_bytes_can_be_asked_about(data: bytes) -> None:
    is_playlist(data)
    looks_like_media(data)
    is_animated_webp(data)
    size = picture_size(data)
    assert size is None or min(size) >= 0


@pytest.mark.parametrize(
    "marker", [b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe1", b"RIFF\0\0\0\0WEBPVP8X", b"YUV4MPEG2 W"]
)
@given(rest=st.binary(max_size=100))
def test_a_cut_off_or_garbled_picture_header_is_no_crash(marker: bytes, rest: bytes) -> None:
    picture_size(marker + rest)


@pytest.mark.parametrize(
    ("head", "size"),
    [
        pytest.param(b"GIF89a" + struct.pack("<HH", 16000, 9), (16000, 9), id="GIF"),
        pytest.param(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 100_000, 2), (100_000, 2), id="PNG"),
        pytest.param(
            b"\xff\xd8\xff\xe0\0\x04xx\xff\xff\xc2\0\x11\x08" + struct.pack(">HH", 3, 60_000),
            (60_000, 3),
            id="JPEG",
        ),
        pytest.param(
            b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\x0f\x27\0\x01\0\0",
            (10_000, 2),
            id="WebP, extended",
        ),
        pytest.param(b"YUV4MPEG2 W99999 H7 F25:1\nFRAME\n", (99_999, 7), id="Y4M"),
        pytest.param(b"YUV4MPEG2 F25:1 H7 W99999\nFRAME\n", None, id="Y4M in an order nobody writes"),
        pytest.param(b"\0\0\0\x20ftypisom", None, id="no picture"),
    ],
)
def test_pictures_tell_their_size_in_the_header(head: bytes, size: tuple[int, int] | None) -> None:
    assert picture_size(head) == size


def test_only_a_webp_that_says_so_moves() -> None:
    head = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0" + b"%c" + bytes(20)
    assert is_animated_webp(head.replace(b"%c", b"\x02"))
    assert not is_animated_webp(head.replace(b"%c", b"\x10"))
