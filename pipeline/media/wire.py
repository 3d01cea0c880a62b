"""What parent and child say to each other: a JSON header and raw blobs, length-prefixed.

The child reads hostile video and may have been taken over by it. So nothing here can carry code, and the
side that receives names the largest message that it accepts before a byte of it is stored.

```text
message = magic (4) | header length (4, little endian) | header: a JSON object | blobs, end to end
header["blobs"] = their lengths
```
"""

from __future__ import annotations

import json
import math
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_MAGIC = b"RSH1"
_PREFIX = struct.Struct("<4sI")
_MAX_HEADER_BYTES = 64 << 20
_MAX_BLOBS = 100_000
_MAX_DEPTH = 32
_PIECE_BYTES = 1 << 20

Blob = bytes | bytearray | memoryview
Receive = Callable[[memoryview], int]
"""Fill a part of the buffer, at least one byte, and say how many; 0 at the end of the stream."""


class WireError(Exception):
    """The other side does not keep to the format or to the caps."""


class ClosedError(Exception):
    """The other side is gone."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a job gave."""

    header: Mapping[str, Any] = field(default_factory=dict)
    """A JSON object."""
    blobs: Sequence[Blob] = ()
    """Raw bytes, any number of them."""


def pack(header: Mapping[str, Any], blobs: Sequence[Blob] = ()) -> list[Blob]:
    """The pieces of one message, to be sent one after the other.

    Raises:
        ValueError: The header holds what JSON cannot carry (NaN too), or is too long.
    """
    flat = [memoryview(blob).cast("B") for blob in blobs]
    text = json.dumps({**header, "blobs": [len(blob) for blob in flat]}, allow_nan=False).encode()
    if len(text) > _MAX_HEADER_BYTES or len(flat) > _MAX_BLOBS:
        raise ValueError(f"a message of {len(text)} header bytes and {len(flat)} blobs is too long")
    return [_PREFIX.pack(_MAGIC, len(text)) + text, *flat]


def send(sock: socket.socket, header: Mapping[str, Any], blobs: Sequence[Blob] = ()) -> None:
    """Send one message over a blocking socket.

    Raises:
        ClosedError: The other side is gone.
    """
    try:
        for piece in pack(header, blobs):
            sock.sendall(piece)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise ClosedError("the other side is gone") from error


def receive(read: Receive, max_bytes: int) -> Reply:
    """Read one message, no more of it than `max_bytes`, header included.

    Raises:
        ClosedError: The stream ended.
        WireError: What came is no message, or a larger one.
    """
    magic, length = _PREFIX.unpack(_exactly(read, _PREFIX.size))
    if magic != _MAGIC:
        raise WireError(f"expected a message, got the bytes {magic!r}")
    if length > min(max_bytes, _MAX_HEADER_BYTES):
        raise WireError(f"a header of {length} bytes is over the cap")
    header = _parse(bytes(_exactly(read, length)))
    sizes = header.pop("blobs", None)
    if not isinstance(sizes, list) or len(sizes) > _MAX_BLOBS:
        raise WireError("a header lists the lengths of its blobs")
    if any(type(size) is not int or size < 0 for size in sizes) or length + sum(sizes) > max_bytes:
        raise WireError(f"a message over the cap of {max_bytes} bytes")
    return Reply(header, [_exactly(read, size) for size in sizes])


def _parse(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise WireError(f"a header that is not JSON: {type(error).__name__}") from error
    if not isinstance(header, dict) or _depth(header) > _MAX_DEPTH:
        raise WireError("a header is a JSON object of little depth")
    return header


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not finite")
    return value


def _depth(value: object) -> int:
    """How deep lists and objects are nested; stops counting one past the cap."""
    level: list[object] = [value]
    for depth in range(_MAX_DEPTH + 1):
        level = [
            item
            for node in level
            for item in (node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
            if isinstance(item, dict | list)
        ]
        if not level:
            return depth + 1
    return _MAX_DEPTH + 1


def _exactly(read: Receive, length: int) -> bytearray:
    """Read so many bytes; memory is taken as they come, not as they are announced."""
    buffer = bytearray()
    while len(buffer) < length:
        start = len(buffer)
        buffer.extend(bytes(min(_PIECE_BYTES, length - start)))
        view = memoryview(buffer)[start:]
        filled = 0
        while filled < len(view):
            count = read(view[filled:])
            if count == 0:
                raise ClosedError("the other side is gone")
            filled += count
        view.release()
    return buffer


class Heartbeat:
    """Tells the parent how far a job is, at most every quarter of a second.

    Args:
        sock: Where to.
    """

    _PERIOD_S = 0.25

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._next = 0.0

    def __call__(self, frames: int) -> None:
        """Say that so many frames (or packets, or whatever the job counts) are done."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self._PERIOD_S
            send(self._sock, {"type": "progress", "frames": frames})
