"""Names that come from content: the same bytes give the same id, wherever they lie."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from schemas.span import Span

_DIGEST_BYTES = 16
"""128 bits: among 10^12 items the chance of one collision is about 10^-15."""


def content_id(chunks: Iterable[bytes]) -> str:
    """The id of a file's content: 32 hexadecimal digits of BLAKE2b over all its bytes."""
    state = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for chunk in chunks:
        state.update(chunk)
    return state.hexdigest()


def clip_id(video_id: str, span: Span) -> str:
    """The id of a span of a video: 32 hexadecimal digits, fit to be a shard key."""
    return digest([video_id, span.start_pts, span.end_pts, span.time_base.numerator, span.time_base.denominator])


def digest(value: object) -> str:
    """The id of a JSON-like value: 32 hexadecimal digits, the same for any order of keys.

    Raises:
        TypeError: The value holds something that JSON has no word for.
        ValueError: The value holds a number that is not finite.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.blake2b(text.encode("ascii"), digest_size=_DIGEST_BYTES).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes; looked at again only when another file lies there, or its size or time has changed."""
    stat = path.stat()
    return _digest_at(path, (stat.st_ino, stat.st_size, stat.st_mtime_ns))


@cache
def _digest_at(path: Path, state: tuple[int, int, int]) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
