"""The listing of URLs: files, prefixes and globs on object stores and servers, through fsspec."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import groupby
from typing import Any

from pipeline.media_names import sidecar_names
from pipeline.source_file import SourceFile, has_magic, matches, near_miss, pair, split_glob
from pipeline.storage import filesystem, first_line, transfer_errors
from schemas import ConfigError


def list_remote(url: str) -> Iterator[SourceFile]:
    """The files at a URL: one file, all below a prefix, or those that a glob names; sorted.

    Sidecars are looked for everywhere but on web servers, which cannot be asked for a listing.

    Raises:
        ConfigError: Nothing is there, or the place cannot be reached or listed.
    """
    fs, path = filesystem(url)
    try:
        info = _info(fs, path)
        if info is not None and info.get("type") != "directory" and not url.endswith("/"):
            yield from _one_file(fs, url, path, info)
        elif info is not None:
            yield from _all_below(fs, url, path)
        elif has_magic(url) and not _is_web(url):
            yield from _matching(fs, url)
        else:
            raise ConfigError(f"{url}: there is nothing{_near(fs, url, path)}")
    except transfer_errors() as error:
        raise ConfigError(f"{url}: cannot be listed: {first_line(error)}") from error


def _is_web(url: str) -> bool:
    return url.startswith(("http://", "https://"))


def _info(fs: Any, path: str) -> Mapping[str, Any] | None:
    try:
        return fs.info(path)  # type: ignore[no-any-return]
    except FileNotFoundError:
        return None


def _one_file(fs: Any, url: str, path: str, info: Mapping[str, Any]) -> Iterator[SourceFile]:
    entries = [source_of(url, info)]
    folder, slash, name = path.rpartition("/")
    for beside in [] if _is_web(url) else sidecar_names(name):
        if (found := _info(fs, f"{folder}{slash}{beside}")) is not None and found.get("type") != "directory":
            entries.append(source_of(f"{url.rpartition('/')[0]}/{beside}", found))
    yield from _files(pair(entries))


def _all_below(fs: Any, url: str, path: str) -> Iterator[SourceFile]:
    yield from _paired(_listing(fs, url, path, maxdepth=None))


def _matching(fs: Any, url: str) -> Iterator[SourceFile]:
    folder, segments = split_glob(url)
    base, path = filesystem(folder)[1], folder
    depth = None if "**" in segments else len(segments)
    listed = list(_listing(fs, path, base, maxdepth=depth))
    chosen = {
        source.uri for source in listed if matches(source.uri[len(folder.rstrip("/")) + 1 :].split("/"), segments)
    }
    if not chosen:
        raise ConfigError(f"{url}: matches nothing")
    for source in _paired(listed):
        if source.uri in chosen or source.sidecar_of in chosen:
            yield source


def _listing(fs: Any, url: str, path: str, maxdepth: int | None) -> Iterator[SourceFile]:
    """All files below a prefix, sorted; the empty objects that stand for folders are left out."""
    prefix, base = url.rstrip("/"), path.strip("/")
    found: Mapping[str, Mapping[str, Any]] = fs.find(path, maxdepth=maxdepth, detail=True)
    for name in sorted(found):
        if found[name].get("type") != "directory" and not name.endswith("/"):
            below = name.lstrip("/").removeprefix(f"{base}/" if base else "")
            yield source_of(f"{prefix}/{below}", found[name])


def _paired(sources: Iterable[SourceFile]) -> Iterator[SourceFile]:
    by_folder = sorted(sources, key=lambda source: source.uri.rpartition("/")[0])
    for _, inside in groupby(by_folder, key=lambda source: source.uri.rpartition("/")[0]):
        yield from _files(pair(inside))


def _files(entries: Iterable[SourceFile | str]) -> Iterator[SourceFile]:
    return (entry for entry in entries if isinstance(entry, SourceFile))


def source_of(url: str, info: Mapping[str, Any]) -> SourceFile:
    """A file as its file system describes it: each kind of file system has words of its own."""
    etag = info.get("ETag") or info.get("etag") or info.get("md5Hash")
    modified = (
        info.get("LastModified") or info.get("Last-Modified") or info.get("mtime") or info.get("updated")
    ) or info.get("created")
    size = info.get("size")
    return SourceFile(
        uri=url,
        num_bytes=None if size is None else int(size),
        modified_us=_microseconds(modified),
        etag=None if etag is None else str(etag).strip('"'),
    )


def _microseconds(modified: object) -> int | None:
    if isinstance(modified, int | float):
        return round(modified * 1_000_000)
    moment = _parsed(modified) if isinstance(modified, str) else modified
    if not isinstance(moment, datetime):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round((aware - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000)


def _parsed(text: str) -> datetime | None:
    """A time as HTTP headers or as ISO 8601 write it."""
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            return parse(text)
        except ValueError:
            continue
    return None


def _near(fs: Any, url: str, path: str) -> str:
    parent, _, name = path.rstrip("/").rpartition("/")
    if _is_web(url) or not parent:
        return ""
    try:
        names = [str(other).rpartition("/")[2] for other in fs.ls(parent, detail=False)]
    except FileNotFoundError:
        return ""
    return near_miss(name, url.rstrip("/").rpartition("/")[0], names)
