"""Stage: each path met gives one row of `files`: its content's id and its probe, or the reason for none.

`video_id` is a digest of all bytes, so copies share it and a moved file keeps it. A file that cannot be used
has a row with the reason; what is plainly no media is `ignored`, without being given to a decoder.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import Field, field_validator

from pipeline.media import DecoderChild, MediaLimits
from pipeline.media_names import ignored_because, is_media
from pipeline.sidecars import Metadata, MetadataTable, SidecarError, read_sidecar
from pipeline.source_file import SourceFile, SourceKind
from pipeline.sources import list_sources
from pipeline.storage import CHUNK_BYTES, first_line, is_remote, spooled
from schemas import Config, ErrorKind, MediaError, Probe, Resources, Result, Row, content_id, digest

_CHILD = "pipeline.media.child"
_HASH_BYTES_A_S = 700e6
"""BLAKE2b on one core, roughly."""
_SNIFF_BYTES = 4096


class IngestConfig(Config):
    """What is read beside the footage, and what a decoder may use."""

    metadata: tuple[str, ...] = Field((), json_schema_extra={"affects_output": False})
    """CSV tables with captions, licences, addresses and titles, by file. What they say of a file is part of
    that file's input, so that a changed line makes one file stale."""
    sidecars: bool = True
    """Whether `film.txt` and `film.json` beside `film.mp4` are read."""
    max_remote_gib: float = Field(64.0, gt=0)
    """Remote files longer than this are refused: each is copied to the temporary folder to be probed."""
    temp_dir: str | None = Field(None, json_schema_extra={"affects_output": False})
    """Where remote files are copied to; the system's temporary folder without it."""

    @field_validator("metadata", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class IngestInput:
    """One path met, and what the tables say about it."""

    source: SourceFile
    metadata: Metadata

    @property
    def input_id(self) -> str:
        """Its uri."""
        return self.source.uri

    @property
    def cost_s(self) -> float:
        """Estimated from its length."""
        return 0.005 + (self.source.num_bytes or 0) / _HASH_BYTES_A_S

    @property
    def fingerprint(self) -> str:
        """A digest that changes when the file (by length and time or etag) or what goes with it does."""
        return digest(self.to_row())

    def to_row(self) -> Row:
        """Its values, flat."""
        values = asdict(self.source) | self.metadata.to_row()
        return values | {"kind": self.source.kind.value, "sidecars": json.dumps(self.source.sidecars)}


def load_input(row: Row) -> IngestInput:
    """The inverse of `IngestInput.to_row`."""
    values: dict[str, Any] = dict(row)
    metadata = Metadata(**{field.name: values.pop(field.name) for field in fields(Metadata)})
    values["kind"] = SourceKind(values["kind"])
    values["sidecars"] = tuple(json.loads(values["sidecars"]))
    return IngestInput(SourceFile(**values), metadata)


def list_inputs(config: IngestConfig, inputs: Sequence[str], *, exclude: Collection[str] = ()) -> Iterator[IngestInput]:
    """Every path at the inputs with what the tables of the config say about it.

    Args:
        config: Names the tables.
        inputs: Paths, globs, lists and URLs; see `pipeline.sources`.
        exclude: Folders that are passed over, such as the dataset.

    Raises:
        ConfigError: An input is not there, or a table cannot be used.
    """
    table = MetadataTable(config.metadata)
    for source in list_sources(inputs, exclude=exclude):
        yield IngestInput(source, table.get(source.uri))


class _Ignored(Exception):  # noqa: N818 - no error, but the end of the look at one file
    """This file is nothing for us; the message says why."""


class IngestFiles:
    """Stage: one `Result` a path, with its row for `files`.

    Args:
        config: What to read beside the footage.
        limits: What a decoder may use.
    """

    name = "ingest"
    version = 1
    reads: Mapping[str, tuple[str, ...]] = {}
    writes = ("files",)
    resources = Resources(cpus=1)
    batch_size = 8

    def __init__(self, config: IngestConfig, limits: MediaLimits) -> None:
        self.config = config
        self.limits = limits
        self._child: DecoderChild | None = None

    def load(self, row: Row) -> IngestInput:
        """The input that `to_row` gave."""
        return load_input(row)

    def failed(self, item: IngestInput, error: MediaError) -> Result:
        """A path that could not be looked at has its row, with the reason."""
        said = {"outcome": "error", "error_kind": error.kind.value, "error": str(error)}
        return Result(item.input_id, rows={"files": [_listed(item.source) | said]}, error=error)

    def setup(self) -> None:
        """Start the decoder's child process."""
        self._child = DecoderChild(_CHILD, self.limits)

    def close(self) -> None:
        """End it."""
        if self._child is not None:
            self._child.close()

    def __call__(self, items: Sequence[IngestInput]) -> Iterator[Result]:
        """Look at the files one after the other."""
        for item in items:
            yield self._ingest(item)

    def _ingest(self, item: IngestInput) -> Result:
        started = time.monotonic()
        row = _listed(item.source) | {"outcome": "ok"}
        try:
            row |= self._look(item)
        except _Ignored as reason:
            row |= {"outcome": "ignored", "error": str(reason)}
        except MediaError as error:
            return replace(self.failed(item, error), busy_s=time.monotonic() - started)
        return Result(item.input_id, rows={"files": [row]}, busy_s=time.monotonic() - started)

    def _look(self, item: IngestInput) -> dict[str, object]:
        """The values that only the file itself can give."""
        source = item.source
        _refuse_by_listing(source)
        claims = is_media(source.uri)
        try:
            limit = round(self.config.max_remote_gib * 2**30)
            with spooled(source.uri, temp_dir=self.config.temp_dir, max_bytes=limit) as path:
                found = self._read(path, source)
        except MediaError as error:
            if claims or error.kind not in (ErrorKind.not_media, ErrorKind.empty):
                raise
            raise _Ignored(f"no media: {error}") from error
        return found | (item.metadata | self._sidecars(source)).to_row()

    def _read(self, path: str, source: SourceFile) -> dict[str, object]:
        fd = _open_regular(path)
        try:
            before = _unchanged(fd, source)
            if before.st_size == 0:
                raise MediaError(ErrorKind.empty, "holds no bytes")
            if not is_media(source.uri) and looks_like_text(os.pread(fd, _SNIFF_BYTES, 0)):
                raise _Ignored("a text, by its first bytes")
            # Probing comes first: of what is no video not even all bytes need be read.
            probe = self._probe(fd)
            video_id = content_id(_chunks(fd))
            after = _unchanged(fd, source)
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                raise MediaError(ErrorKind.changed, "was written to while it was read")
        finally:
            os.close(fd)
        text = json.dumps(probe.to_json(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return {"video_id": video_id, "num_bytes": after.st_size, "probe": text}

    def _probe(self, fd: int) -> Probe:
        assert self._child is not None, "setup() comes before the first call"
        return Probe.from_json(dict(self._child.call("probe", {}, fd).header))

    def _sidecars(self, source: SourceFile) -> Metadata:
        found = Metadata()
        for uri in source.sidecars if self.config.sidecars else ():
            try:
                found |= read_sidecar(uri)
            except SidecarError:
                # Said in the sidecar's own row, see `_refuse_by_listing`: the video is none the worse.
                continue
        return found


def _refuse_by_listing(source: SourceFile) -> None:
    """Refuse what must not be opened, and pass over what need not be."""
    if source.kind in (SourceKind.folder_link, SourceKind.hidden_folder):
        raise _Ignored(f"{source.kind.value}, which is not entered")
    if source.kind is SourceKind.unreadable:
        raise MediaError(ErrorKind.io, f"cannot be read: {source.problem}")
    if source.kind is not SourceKind.file:
        raise MediaError(ErrorKind.not_a_file, f"is {source.kind.value}, which is never opened")
    if source.sidecar_of is not None:
        raise _Ignored(_describe_sidecar(source))
    if (reason := ignored_because(source.uri)) is not None:
        raise _Ignored(reason)


def _describe_sidecar(source: SourceFile) -> str:
    try:
        read_sidecar(source.uri)
    except SidecarError as error:
        return f"goes with {source.sidecar_of}, and cannot be used: {error}"
    return f"goes with {source.sidecar_of}"


def _open_regular(path: str) -> int:
    """Open a regular file; should it have become a FIFO meanwhile, this does not wait for its writer."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise MediaError(ErrorKind.io, f"cannot be opened: {first_line(error)}") from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise MediaError(ErrorKind.not_a_file, "is no longer a regular file")
    return fd


def _unchanged(fd: int, source: SourceFile) -> os.stat_result:
    """The file's state, which must be that of the listing; a remote file's copy can only differ in length."""
    now = os.fstat(fd)
    same_time = is_remote(source.uri) or now.st_mtime_ns // 1000 == source.modified_us
    if source.num_bytes not in (None, now.st_size) or not same_time:
        raise MediaError(ErrorKind.changed, "is no longer the file that was listed")
    return now


def _chunks(fd: int) -> Iterator[bytes]:
    try:
        offset = 0
        while chunk := os.pread(fd, CHUNK_BYTES, offset):
            offset += len(chunk)
            yield chunk
    except OSError as error:
        raise MediaError(ErrorKind.io, f"cannot be read: {first_line(error)}") from error


def looks_like_text(head: bytes) -> bool:
    """Whether a file that begins so is a text: UTF-8 without control characters but those that texts have."""
    controls = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head)
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The last character may be cut in two.
        return controls == 0 and error.start >= len(head) - 3 and error.reason == "unexpected end of data"
    return controls == 0


def _listed(source: SourceFile) -> dict[str, object]:
    return {
        "uri": source.uri,
        "num_bytes": source.num_bytes,
        "modified_at": _moment(source.modified_us),
        "etag": source.etag,
    }


def _moment(modified_us: int | None) -> datetime | None:
    if modified_us is None:
        return None
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=modified_us)
    except OverflowError:
        # File systems can hold years beyond 9999.
        return None


__all__ = [
    "IngestConfig",
    "IngestFiles",
    "IngestInput",
    "list_inputs",
    "load_input",
    "looks_like_text",
]
