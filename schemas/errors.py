"""The exception tree, and the reasons for which a file, a video or a clip is set aside.

```text
* RushesError
  x ConfigError     something the user wrote or asked for is wrong; nothing has been started
  x MediaError      one file or video is bad; it is recorded with its kind, and the run goes on
```
Everything else is our own bug and propagates.
"""

from __future__ import annotations

from enum import StrEnum


class ErrorKind(StrEnum):
    """Why a file or a video could not be used; the value is what the tables hold."""

    empty = "empty"
    """No bytes at all."""
    not_a_file = "not_a_file"
    """A FIFO, a socket, a device or a broken link: never opened."""
    not_media = "not_media"
    """No demuxer that we allow knows these bytes."""
    playlist = "playlist"
    """A file that only points to other files or addresses; never followed."""
    no_video = "no_video"
    """A media file without a picture stream."""
    unsupported_codec = "unsupported_codec"
    """The container can be read and no decoder for its pictures is at hand."""
    encrypted = "encrypted"
    """The pictures are there and cannot be read without a key."""
    corrupt = "corrupt"
    """Nothing decodes, or more of it is damaged than the limit allows."""
    too_large = "too_large"
    """More pixels in a frame, or more frames, than the limits allow."""
    timeout = "timeout"
    """Decoding stood still, or took longer than the limits allow."""
    out_of_memory = "out_of_memory"
    """Decoding asked for more memory than the limits allow."""
    decoder_crash = "decoder_crash"
    """The decoder's process died."""
    worker_crash = "worker_crash"
    """The worker around it died, twice."""
    io = "io"
    """The bytes could not be read; another run tries again."""
    changed = "changed"
    """The file is no longer the one that was probed; another run tries again."""
    preview = "preview"
    """What a clip is judged by (its preview pictures, its embedding) is missing or broken; another run tries again,
    since a scan that brings it back leaves the keys of what reads it as they are."""
    engine = "engine"
    """The captioner's model or server gave no answer; another run tries again."""
    storage = "storage"
    """The dataset cannot be written (a full disk, a lost right); ends the run and is never recorded."""
    bug = "bug"
    """Our own mistake, met on this item."""


TRANSIENT = frozenset(
    {ErrorKind.io, ErrorKind.changed, ErrorKind.worker_crash, ErrorKind.preview, ErrorKind.engine, ErrorKind.bug}
)
"""Kinds that a later run tries again; the others say something lasting of the content."""


class RushesError(Exception):
    """The root of what this project raises on purpose."""


class ConfigError(RushesError):
    """A value or a request of the user's is wrong; the message is one sentence for that user."""


class MediaError(RushesError):
    """One file or video is bad.

    Attributes:
        kind: The reason, as recorded.
    """

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind

    def __reduce__(self) -> tuple[type[MediaError], tuple[ErrorKind, str]]:
        """Survive the way through another process."""
        return type(self), (self.kind, str(self))
