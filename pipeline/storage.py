r"""Where bytes lie: local paths and URLs, how a path is written as text, and remote files made local.

A `uri` is what tables hold and people see: the path of a local file, the URL of anything else. Paths are
bytes to the kernel and need not be UTF-8, so in a `uri` each undecodable byte is written `\xNN`. A backslash
is itself, except where it would read as such an escape: there it is `\x5c`. So every path has one `uri`, and
the way back is exact.
"""

# A path is kept exactly as it was given, and pathlib tidies it up.
# ruff: noqa: PTH100, PTH123

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import fsspec

from schemas import ConfigError, ErrorKind, MediaError

CHUNK_BYTES = 4 * 2**20
"""How much is read at once: large enough for a range request to pay, small beside a decoder."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")
_UNDECODABLE = re.compile("[\udc80-\udcff]")
_QUIET_S = 60.0
"""A connection on which nothing comes for so long is given up, in seconds."""


def is_remote(uri: str) -> bool:
    """Whether it is a URL of something else than a local file."""
    found = _SCHEME.match(uri)
    return found is not None and found[1].lower() != "file"


def to_uri(path: str | bytes) -> str:
    """A local path as text that UTF-8 can hold.

    Args:
        path: As bytes, or as Python gives it with undecodable bytes as surrogates.
    """
    text = path.decode("utf-8", "surrogateescape") if isinstance(path, bytes) else path
    text = _ESCAPE.sub(r"\\x5cx\1", text)
    return _UNDECODABLE.sub(lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", text)


def to_path(uri: str) -> str:
    """The local path of a `uri`, for `open`: undecodable bytes are surrogates. The inverse of `to_uri`."""
    raw = uri.removeprefix("file://").encode("utf-8", "surrogateescape")
    raw = re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), raw)
    return raw.decode("utf-8", "surrogateescape")


def filesystem(url: str) -> tuple[Any, str]:
    """The fsspec file system of a local path or a URL, and the path in it.

    Directory listings are not cached: what another process writes is seen.

    Args:
        url: A URL, or a local path as it is (not escaped, as a `uri` is).

    Raises:
        ConfigError: No such kind of file system, or the package for it is not installed.
    """
    if not is_remote(url):
        return fsspec.filesystem("file"), os.path.abspath(url.removeprefix("file://"))
    scheme, _, rest = url.partition("://")
    options: dict[str, Any] = {"use_listings_cache": False}
    if scheme in ("http", "https"):
        import aiohttp

        # The default ends every transfer after five minutes, however well it goes.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_QUIET_S, sock_read=_QUIET_S)
        options["client_kwargs"] = {"timeout": timeout}
    # In a key of an object store `::` is no chain of file systems, so only the first part is parsed as a URL.
    base, slash, below = rest.partition("/") if "::" in rest else (rest, "", "")
    try:
        fs, path = fsspec.core.url_to_fs(f"{scheme}://{base}", **options)
    except ImportError as error:
        raise ConfigError(f"{url}: {scheme}:// needs a package that is not installed: {error}") from error
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{url}: files cannot be read from {scheme}://: {error}") from error
    return fs, f"{path.rstrip('/')}/{below}" if slash else path


def transfer_errors() -> tuple[type[BaseException], ...]:
    """What file systems raise when a transfer fails: not all of them use `OSError`."""
    names = (
        ("botocore.exceptions", "BotoCoreError"),
        ("botocore.exceptions", "ClientError"),
        ("aiohttp", "ClientError"),
        ("fsspec.exceptions", "FSTimeoutError"),
        ("gcsfs.retry", "HttpError"),
        ("google.auth.exceptions", "GoogleAuthError"),
        ("azure.core.exceptions", "AzureError"),
        ("paramiko.ssh_exception", "SSHException"),
    )
    # A class whose module nobody has imported cannot have been raised.
    found = [getattr(sys.modules[module], name) for module, name in names if module in sys.modules]
    return (OSError, TimeoutError, *found)


def first_line(error: BaseException) -> str:
    """What an exception says, in one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def open_remote(url: str) -> IO[bytes]:
    """A remote file, to be read from its start.

    Raises:
        ConfigError: No such kind of file system.
        OSError: It cannot be opened; see `transfer_errors` for the rest.
    """
    fs, path = filesystem(url)
    if url.startswith(("http://", "https://")):
        # One streamed request: many servers know no ranges.
        return fs.open(path, "rb", block_size=0)  # type: ignore[no-any-return]
    return fs.open(path, "rb", block_size=2 * CHUNK_BYTES, cache_type="none")  # type: ignore[no-any-return]


def read_chunks(uri: str) -> Iterator[bytes]:
    """All bytes of a file, in pieces of at most `CHUNK_BYTES`.

    Raises:
        MediaError: It cannot be read (`io`), or changed under our hands (`changed`).
    """
    try:
        with open_remote(uri) if is_remote(uri) else open(to_path(uri), "rb", buffering=0) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except transfer_errors() as error:
        expired = type(error).__name__ == "FileExpired"
        kind = ErrorKind.changed if expired else ErrorKind.io
        raise MediaError(kind, f"cannot be read: {first_line(error)}") from error


@contextmanager
def spooled(uri: str, *, temp_dir: str | None = None, max_bytes: int | None = None) -> Iterator[str]:
    """A local path at which the file can be opened, until the end of the block.

    A local file is given as it is. A remote one is copied to a file without a name in the temporary folder,
    which is gone when this process ends, however it ends; any process of the same user can open the path. So
    the folder needs room for one remote file for each worker on the machine.

    Args:
        uri: A local path as a `uri`, or a URL.
        temp_dir: Where to copy; the system's temporary folder without it.
        max_bytes: A remote file longer than this is refused.

    Raises:
        MediaError: It cannot be read or copied, or is too long.
    """
    if not is_remote(uri):
        yield to_path(uri)
        return
    folder = temp_dir or tempfile.gettempdir()
    try:
        copy = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed below
    except OSError as error:
        raise MediaError(ErrorKind.io, f"cannot be copied to {folder}: {first_line(error)}") from error
    with copy:
        num_bytes = 0
        for chunk in read_chunks(uri):
            num_bytes += len(chunk)
            if max_bytes is not None and num_bytes > max_bytes:
                raise MediaError(ErrorKind.too_large, f"is longer than {max_bytes} bytes, the most we copy")
            try:
                _write_all(copy, chunk)
            except OSError as error:
                raise MediaError(ErrorKind.io, f"cannot be copied to {folder}: {first_line(error)}") from error
        yield f"/proc/{os.getpid()}/fd/{copy.fileno()}"


def _write_all(file: IO[bytes], data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]
