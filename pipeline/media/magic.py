"""What the first bytes of a file say, before any demuxer sees it."""

from __future__ import annotations

import re
import struct

_PLAYLISTS = (
    (rb"#EXTM3U", "an HLS or M3U playlist"),
    (rb"#EXTINF|#EXT-X-", "an HLS playlist"),
    (rb"ffconcat\s+version", "an ffconcat script"),
    (rb"(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(\w+:)?MPD[\s>]", "a DASH manifest"),
    (rb"(<\?xml[^>]*>\s*)?<SmoothStreamingMedia[\s>]", "a Smooth Streaming manifest"),
    (rb"(<\?xml[^>]*>\s*)?(<!DOCTYPE[^>]*>\s*)?<smil[\s>]", "a SMIL presentation"),
    (rb"(<\?xml[^>]*>\s*)?<(asx|playlist|rss)[\s>]", "a playlist"),
    (rb"v=0\r?\n(?=.*^[om]=)", "a session description (SDP)"),
    (rb"\[playlist\]|\[Reference\]", "a playlist"),
    (rb"(RTSPtext|rtspu?://|https?://|mmsh?://|rtmp://|concat:|file:)", "a list of addresses"),
)
_MEDIA = (
    (0, b"\x1aE\xdf\xa3"), (0, b"OggS"), (0, b"FLV\x01"), (0, b"GIF8"), (0, b"\x89PNG"), (0, b"\xff\xd8\xff"),
    (0, b"DKIF"), (0, b"YUV4MPEG2"), (0, b"0&\xb2u\x8ef\xcf\x11"), (0, b"\0\0\x01\xba"), (0, b"\0\0\x01\xb3"),
    (0, b"\0\0\0\x01"), (0, b"nut/multimedia"), (0, b".RMF"), (0, b"\x06\x0e+4"), (8, b"AVI "), (8, b"WEBP"),
)  # fmt: skip
_BOXES = frozenset(b"ftyp moov mdat free skip wide moof styp sidx pnot junk".split())
_JPEG_SIZES = frozenset({*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)})


def is_playlist(head: bytes) -> str | None:
    """What kind of list of other files these bytes are; None if they are none."""
    text = head[:4096].removeprefix(b"\xef\xbb\xbf")
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        # UTF-16, of which the ASCII part is enough here.
        text = text[2:].replace(b"\0", b"")
    text = text.lstrip(b" \t\r\n\v\f")
    for pattern, name in _PLAYLISTS:
        if re.match(pattern, text, re.IGNORECASE | re.DOTALL | re.MULTILINE):
            return name
    return None


def looks_like_media(head: bytes) -> bool:
    """Whether the bytes begin as a media file does, so that one which cannot be read is damaged."""
    if head[4:8] in _BOXES or any(head[at : at + len(mark)] == mark for at, mark in _MEDIA):
        return True
    return len(head) > 188 * 2 and any(head[at] == head[at + size] == 0x47 for at, size in ((0, 188), (4, 192)))


def is_animated_webp(head: bytes) -> bool:
    """Whether a WebP file says that it moves."""
    return head[8:16] == b"WEBPVP8X" and len(head) > 20 and bool(head[20] & 0x02)


def picture_size(head: bytes) -> tuple[int, int] | None:
    """Width and height as a GIF, PNG, JPEG, WebP or Y4M file states them; None for others.

    Their demuxers tell the size only by decoding, or not at all where it is absurd.
    """
    if y4m := re.match(rb"YUV4MPEG2[^\n]{0,200}? W(\d{1,9}) H(\d{1,9})\b", head[:256]):
        return int(y4m[1]), int(y4m[2])
    if head[:4] == b"GIF8" and len(head) >= 10:
        width, height = struct.unpack_from("<HH", head, 6)
        return width, height
    if head[:8] == b"\x89PNG\r\n\x1a\n" and len(head) >= 24:
        width, height = struct.unpack_from(">II", head, 16)
        return width, height
    if head[:3] == b"\xff\xd8\xff":
        return _jpeg_size(head)
    if head[8:12] == b"WEBP" and len(head) >= 30:
        return _webp_size(head)
    return None


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(head):
        if head[at] != 0xFF:
            return None
        marker = head[at + 1]
        if marker in _JPEG_SIZES:
            height, width = struct.unpack_from(">HH", head, at + 5)
            return width, height
        if marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD7:
            at += 1 if marker == 0xFF else 2
        else:
            at += 2 + struct.unpack_from(">H", head, at + 2)[0]
    return None


def _webp_size(head: bytes) -> tuple[int, int] | None:
    match head[12:16]:
        case b"VP8X":
            return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
        case b"VP8L":
            bits = int.from_bytes(head[21:25], "little")
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", head, 26)
            return width & 0x3FFF, height & 0x3FFF
    return None
