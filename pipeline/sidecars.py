"""Captions, licences, addresses and titles that come with footage: sidecar files and CSV tables.

Beside `film.mp4` may lie `film.txt` (its caption) and `film.json` (an object with any of `caption` or `text`,
`license`, `source_url` or `url`, and `title`; other keys are no matter), or `film.mp4.txt` and
`film.mp4.json`. A CSV table has a column `uri`, `path` or `file` and any of those. Where several speak of one
file, a table goes before JSON and JSON before plain text, value by value.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import posixpath
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.media_names import base_name, suffix_of
from pipeline.storage import is_remote, read_chunks, to_path, to_uri
from schemas import ConfigError, MediaError

_MAX_BYTES = 2**20
"""A sidecar longer than this is not read: captions are a few thousand letters."""
_KEYS = {
    "caption": "caption",
    "text": "caption",
    "license": "license",
    "licence": "license",
    "source_url": "source_url",
    "url": "source_url",
    "title": "title",
}
"""What a sidecar or a table calls each value, the preferred word first."""
_PATH_COLUMNS = ("uri", "path", "file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What people wrote about a file."""

    caption: str | None = None
    license: str | None = None
    source_url: str | None = None
    title: str | None = None

    def __or__(self, other: Metadata) -> Metadata:
        """These values, and where there is none the other's."""
        ours, theirs = asdict(self), asdict(other)
        return Metadata(**{name: ours[name] if ours[name] is not None else theirs[name] for name in ours})

    def to_row(self) -> dict[str, str | None]:
        """Its values by name."""
        return asdict(self)


class SidecarError(ValueError):
    """A sidecar cannot be used; the message says why. The file that it goes with is none the worse."""


def read_sidecar(uri: str) -> Metadata:
    """What one sidecar file says.

    Raises:
        SidecarError: It cannot be read, is too long, or is not what its suffix says.
    """
    data = b""
    try:
        for chunk in read_chunks(uri):
            data += chunk
            if len(data) > _MAX_BYTES:
                raise SidecarError(f"is longer than {_MAX_BYTES} bytes")
    except MediaError as error:
        raise SidecarError(str(error)) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SidecarError(f"is not UTF-8 (at byte {error.start})") from error
    return parse_json(text) if suffix_of(uri) == ".json" else Metadata(caption=_cleaned(text))


def parse_json(text: str) -> Metadata:
    """The values in a JSON sidecar.

    Raises:
        SidecarError: It is not JSON, not an object, or a value in it that we know is not a text.
    """
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise SidecarError("is nested too deeply") from error
    except ValueError as error:
        raise SidecarError(f"is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise SidecarError(f"must hold a JSON object, got {type(value).__name__}")
    found: dict[str, str | None] = {}
    for key, name in _KEYS.items():
        word = value.get(key)
        if word is None or found.get(name) is not None:
            continue
        if not isinstance(word, str):
            raise SidecarError(f"{key!r} must be a text, got {type(word).__name__}")
        found[name] = _cleaned(word)
    return Metadata(**found)


def _cleaned(text: str) -> str | None:
    """The text without blanks around it and without what UTF-8 cannot hold; None for nothing."""
    return text.encode("utf-8", "replace").decode().replace("\0", "").strip() or None


class MetadataTable:
    """CSV tables, by file.

    A file is found by its uri as listed, else by its place relative to the table's own folder, else, where
    the table gives a bare name, by that name.

    Args:
        paths: CSV files or URLs of them; where two speak of one file, the first goes before.

    Raises:
        ConfigError: A table cannot be read, or is not what it should be; names the file, line and column.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self._rows: dict[str, Metadata] = {}
        for path in paths:
            for named, metadata in read_table(path):
                for key in _names(path, named):
                    self._rows[key] = self._rows.get(key, Metadata()) | metadata

    def __len__(self) -> int:
        """How many names it knows."""
        return len(self._rows)

    def get(self, uri: str) -> Metadata:
        """What the tables say about a file; nothing where they do not name it."""
        if not self._rows:
            return Metadata()
        found = Metadata()
        for key in (uri, _resolved(uri), base_name(uri)):
            found |= self._rows.get(key, Metadata())
        return found


def _names(table: str, named: str) -> list[str]:
    """Under which keys a row is found."""
    folder = table.rpartition("/")[0]
    beside = named if is_remote(named) or named.startswith("/") or not folder else f"{folder}/{named}"
    return list(dict.fromkeys((named, _resolved(named), _resolved(beside))))


def _resolved(uri: str) -> str:
    """One spelling for one local path."""
    if is_remote(uri):
        return uri
    return to_uri(posixpath.normpath(posixpath.join(Path.cwd().as_posix(), to_path(uri))))


def read_table(path: str) -> Iterable[tuple[str, Metadata]]:
    """The rows of a CSV table: the file as it names it, and what it says.

    Raises:
        ConfigError: It cannot be read, has no column with a path or none with a value, or a row is broken.
    """
    try:
        text = b"".join(read_chunks(path)).decode("utf-8-sig")
    except MediaError as error:
        raise ConfigError(f"ingest.metadata: {path}: {error}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"ingest.metadata: {path}, line {line}: is not UTF-8 text") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[str, Metadata]] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        read = _row_reader(path, header)
        for row in reader:
            if row:
                rows.append(read(row, reader.line_num))
    except csv.Error as error:
        raise ConfigError(f"ingest.metadata: {path}, line {reader.line_num}: {error}") from error
    return rows


def _row_reader(path: str, header: Sequence[str]) -> Callable[[Sequence[str], int], tuple[str, Metadata]]:
    columns = {name.lower(): k for k, name in enumerate(header)}
    if len(columns) < len(header):
        raise ConfigError(f"ingest.metadata: {path}, line 1: a column is named twice in {', '.join(header)}")
    key = next((name for name in _PATH_COLUMNS if name in columns), None)
    if key is None:
        raise ConfigError(
            f"ingest.metadata: {path}, line 1: no column is named uri, path or file"
            f"{_near(_PATH_COLUMNS, columns.keys())}; there are {', '.join(header) or 'none'}"
        )
    known = [(column, name) for column, name in _KEYS.items() if column in columns]
    if not known:
        raise ConfigError(
            f"ingest.metadata: {path}, line 1: no column is named caption, license, source_url or title"
            f"{_near(_KEYS, columns.keys() - {key})}; there are {', '.join(header)}"
        )

    def read(row: Sequence[str], line: int) -> tuple[str, Metadata]:
        if len(row) != len(header):
            raise ConfigError(
                f"ingest.metadata: {path}, line {line}: {len(row)} columns, the first line has {len(header)}"
            )
        if not (named := row[columns[key]].strip()):
            raise ConfigError(f"ingest.metadata: {path}, line {line}, column {key}: is empty")
        found: dict[str, str | None] = {}
        for column, name in known:
            found[name] = found.get(name) or _cleaned(row[columns[column]])
        return named, Metadata(**found)

    return read


def _near(wanted: Iterable[str], columns: Iterable[str]) -> str:
    for name in sorted(columns):
        if near := difflib.get_close_matches(name, list(wanted), n=1):
            return f"; did you mean {near[0]!r} with {name!r}?"
    return ""
