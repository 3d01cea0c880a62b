"""One path met by a run, and the small rules that local and remote listings share: globs and sidecars."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase

from pipeline.media_names import SIDECAR_SUFFIXES, base_name, sidecar_names, suffix_of
from pipeline.storage import to_uri

_MAGIC = re.compile(r"[*?[]")


class SourceKind(StrEnum):
    """What a path is; only a `file` is ever opened."""

    file = "file"
    fifo = "a FIFO"
    socket = "a socket"
    device = "a device"
    broken_link = "a link to nothing"
    link_loop = "a link that leads back to itself"
    folder_link = "a link to a folder"
    hidden_folder = "a hidden folder"
    """Or one in which a system keeps its own things; met on the way, never named by the user."""
    unreadable = "unreadable"
    """Its folder's listing shows it, and the system refuses to tell more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One path met."""

    uri: str
    kind: SourceKind = SourceKind.file
    num_bytes: int | None = None
    """Its length; None where a server does not tell."""
    modified_us: int | None = None
    """When it was last written, in microseconds since 1970, UTC."""
    etag: str | None = None
    """What an object store or a server calls this version of it."""
    sidecars: tuple[str, ...] = ()
    """Uris of the text files that go with it, best first."""
    sidecar_stamp: str = ""
    """Lengths and times or etags of those: changes when one of them does."""
    sidecar_of: str | None = None
    """The uri of the file that it goes with."""
    problem: str | None = None
    """What the system said of an unreadable one."""

    @property
    def stamp(self) -> str:
        """Changes when the file does: its length, and its etag or else its time."""
        return f"{self.num_bytes} {self.etag or self.modified_us}"


def split_glob(pattern: str) -> tuple[str, list[str]]:
    """A glob's folder, in which nothing is magic, and the segments below it."""
    parts = pattern.split("/")
    first = next((k for k, part in enumerate(parts) if _MAGIC.search(part)), len(parts))
    fixed = "/".join(parts[:first])
    return fixed or ("/" if first and pattern.startswith("/") else ""), [part for part in parts[first:] if part]


def has_magic(text: str) -> bool:
    """Whether it could be a glob."""
    return _MAGIC.search(text) is not None


def fits(name: str, segment: str) -> bool:
    """Whether a name fits one segment of a glob; hidden names only fit a segment that begins with a dot."""
    return fnmatchcase(name, segment) and (segment.startswith(".") or not name.startswith("."))


def matches(parts: Sequence[str], segments: Sequence[str]) -> bool:
    """Whether the parts of a path fit the segments of a glob, `**` standing for any number of them."""
    if not segments:
        return not parts
    if segments[0] == "**":
        return any(matches(parts[k:], segments[1:]) for k in range(len(parts) + 1))
    return bool(parts) and fits(parts[0], segments[0]) and matches(parts[1:], segments[1:])


def pair(entries: Iterable[SourceFile | str]) -> Iterator[SourceFile | str]:
    """The entries of one folder: files with the sidecars that lie beside them, sidecars with their file."""
    listed = list(entries)
    texts = {
        base_name(entry.uri): entry
        for entry in listed
        if isinstance(entry, SourceFile) and entry.kind is SourceKind.file and suffix_of(entry.uri) in SIDECAR_SUFFIXES
    }
    if not texts:
        yield from listed
        return
    owners: dict[str, str] = {}
    for k, entry in enumerate(listed):
        if isinstance(entry, str) or entry.kind is not SourceKind.file:
            continue
        beside = [texts[name] for name in sidecar_names(base_name(entry.uri)) if name in texts]
        if beside:
            uris = tuple(text.uri for text in beside)
            listed[k] = replace(entry, sidecars=uris, sidecar_stamp="; ".join(text.stamp for text in beside))
            owners |= {uri: owners.get(uri, entry.uri) for uri in uris}
    for entry in listed:
        if isinstance(entry, SourceFile) and entry.uri in owners:
            yield replace(entry, sidecar_of=owners[entry.uri])
        else:
            yield entry


def near_miss(name: str, parent: str, names: Iterable[str]) -> str:
    """`; did you mean …?` with the name that comes nearest; nothing where none is near."""
    near = difflib.get_close_matches(name, list(names), n=1)
    if not near:
        return ""
    return f"; did you mean {to_uri(f'{parent}/{near[0]}' if parent else near[0])}?"
