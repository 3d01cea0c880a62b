"""What lies at the inputs of a run: every path met, with what a listing tells of it. Nothing is opened here.

An input is one of

- a folder, walked with everything below it but hidden folders; links to folders in it are not followed, links
  to files are;
- a file;
- a glob (`*`, `?`, `[…]`, and `**` for any depth) unless a file of exactly that name is there; `*` leaves out
  hidden names; a folder that it matches is walked;
- `@LIST`, a file with one input of the other kinds a line, empty lines skipped;
- a URL of a file, of a prefix, or a glob of files (`s3://bucket/films`, `s3://bucket/**/*.mp4`,
  `https://host/film.mp4`).

The `uri` of a file is the input as it was given, joined with the path below it: a relative input gives
relative uris, to be read from the same working directory.
"""

# A path is kept exactly as it was given, and pathlib tidies it up.
# ruff: noqa: PTH112, PTH114, PTH116, PTH118, PTH119, PTH120, PTH208

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence

from pipeline.media_names import is_hidden_folder, sidecar_names
from pipeline.remote_sources import list_remote
from pipeline.source_file import SourceFile, SourceKind, fits, has_magic, near_miss, pair, split_glob
from pipeline.storage import first_line, is_remote, read_chunks, to_path, to_uri
from schemas import ConfigError, MediaError


def list_sources(inputs: Sequence[str], *, exclude: Iterable[str] = ()) -> Iterator[SourceFile]:
    """Every path at the inputs, each uri once, in the order of the inputs and sorted within each.

    Args:
        inputs: Paths, globs, `@LIST`s and URLs, as the user gave them.
        exclude: Folders (paths or URLs) that are passed over, such as the dataset that the run writes.

    Raises:
        ConfigError: An input is not there, matches nothing, or cannot be listed.
    """
    excluded = tuple(exclude)
    skip = _same_folder([path for path in excluded if not is_remote(path)])
    prefixes = tuple(url.rstrip("/") + "/" for url in excluded if is_remote(url))
    seen: set[str] = set()
    for given in inputs:
        for one, where in _expand_list(given):
            listed = list_remote(one) if is_remote(one) else _list_local(one.removeprefix("file://"), skip)
            try:
                for source in listed:
                    if source.uri not in seen and not source.uri.startswith(prefixes or ("\0",)):
                        seen.add(source.uri)
                        yield source
            except ConfigError as error:
                raise ConfigError(f"{where}{error}") from error


def _expand_list(given: str) -> Iterator[tuple[str, str]]:
    """The inputs that an `@LIST` holds, each with words that say where it stands; any other as it is."""
    if not given.startswith("@"):
        if not given:
            raise ConfigError("an input is empty; give a path, a glob or a URL")
        yield given, ""
        return
    try:
        data = b"".join(read_chunks(given[1:]))
    except MediaError as error:
        raise ConfigError(f"{given[1:]}: the list {error}") from error
    for number, raw in enumerate(data.splitlines(), 1):
        line = raw.decode("utf-8", "surrogateescape").strip("\r\n")
        if line.startswith("@"):
            raise ConfigError(f"{given[1:]}, line {number}: a list cannot name another list, got {line!r}")
        if line.strip():
            yield line, f"{given[1:]}, line {number}: "


def _same_folder(paths: Iterable[str]) -> Callable[[os.stat_result], bool]:
    folders = set()
    for path in paths:
        if os.path.isdir(path):
            info = os.stat(path)
            folders.add((info.st_dev, info.st_ino))
    return lambda info: (info.st_dev, info.st_ino) in folders


def _list_local(given: str, skip: Callable[[os.stat_result], bool]) -> Iterator[SourceFile]:
    if not os.path.lexists(given):
        unescaped = to_path(given)
        if unescaped != given and os.path.lexists(unescaped):
            given = unescaped
        elif has_magic(given):
            yield from _list_glob(given, skip)
            return
        else:
            raise ConfigError(_missing(given))
    if os.path.isdir(given):
        yield from _walk(given.rstrip("/") or "/", skip)
    else:
        yield from _with_sidecars(given)


def _list_glob(pattern: str, skip: Callable[[os.stat_result], bool]) -> Iterator[SourceFile]:
    fixed, segments = split_glob(pattern)
    if not os.path.isdir(fixed or "."):
        raise ConfigError(_missing(fixed))
    found = False
    for path in _expand(fixed, segments):
        found = True
        yield from _walk(path, skip) if os.path.isdir(path) else _with_sidecars(path)
    if not found:
        raise ConfigError(f"{to_uri(pattern)}: matches nothing")


def _expand(folder: str, segments: Sequence[str]) -> Iterator[str]:
    """The paths below a folder that fit, sorted in each folder; links to folders are not entered."""
    segment, rest = segments[0], segments[1:]
    names = _names(folder)
    if segment == "**":
        # `a/**` is everything below `a`, and walking its entries gives that.
        yield from _expand(folder, rest or ["*"])
        for name in names if rest else ():
            below = os.path.join(folder, name)
            if fits(name, "*") and os.path.isdir(below) and not os.path.islink(below):
                yield from _expand(below, segments)
        return
    for name in names if has_magic(segment) else [segment]:
        path = os.path.join(folder, name)
        if name != segment and not fits(name, segment):
            continue
        if not rest:
            if os.path.lexists(path) and not (os.path.islink(path) and os.path.isdir(path)):
                yield path
        elif os.path.isdir(path) and not os.path.islink(path):
            yield from _expand(path, rest)


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder or "."))
    except OSError as error:
        raise ConfigError(f"{to_uri(folder)}: cannot be listed: {first_line(error)}") from error


def _walk(top: str, skip: Callable[[os.stat_result], bool]) -> Iterator[SourceFile]:
    """Every path below a folder, depth first, sorted by name in each folder."""
    folders = [iter([top])]
    while folders:
        path = next(folders[-1], None)
        if path is None:
            folders.pop()
            continue
        try:
            if skip(os.stat(path)):
                continue
            names = sorted(os.listdir(path))
        except OSError as error:
            yield SourceFile(uri=to_uri(path), kind=SourceKind.unreadable, problem=first_line(error))
            continue
        below = []
        for entry in pair(_look_all(path, names)):
            if isinstance(entry, str):
                below.append(entry)
            else:
                yield entry
        folders.append(iter(below))


def _look_all(folder: str, names: Iterable[str]) -> Iterator[SourceFile | str]:
    for name in names:
        yield look(os.path.join(folder, name))


def look(path: str) -> SourceFile | str:
    """What a path is, without opening it; a folder is given back as its path."""
    uri = to_uri(path)
    try:
        info = os.lstat(path)
        is_link = stat.S_ISLNK(info.st_mode)
        if is_link:
            info = os.stat(path)
    except FileNotFoundError:
        return SourceFile(uri=uri, kind=SourceKind.broken_link)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return SourceFile(uri=uri, kind=SourceKind.link_loop)
        return SourceFile(uri=uri, kind=SourceKind.unreadable, problem=first_line(error))
    if stat.S_ISDIR(info.st_mode):
        if is_hidden_folder(os.path.basename(path)):
            return SourceFile(uri=uri, kind=SourceKind.hidden_folder)
        return SourceFile(uri=uri, kind=SourceKind.folder_link) if is_link else path
    return SourceFile(uri=uri, kind=_kind(info.st_mode), num_bytes=info.st_size, modified_us=info.st_mtime_ns // 1000)


def _kind(mode: int) -> SourceKind:
    if stat.S_ISREG(mode):
        return SourceKind.file
    if stat.S_ISFIFO(mode):
        return SourceKind.fifo
    return SourceKind.socket if stat.S_ISSOCK(mode) else SourceKind.device


def _with_sidecars(path: str) -> Iterator[SourceFile]:
    """One file that was named or matched, and what goes with it: there is no listing to look into."""
    folder, name = os.path.split(path)
    entries = [look(path)]
    for beside in sidecar_names(name):
        if os.path.lexists(other := os.path.join(folder, beside)):
            entries.append(look(other))
    yield from (entry for entry in pair(entries) if isinstance(entry, SourceFile))


def _missing(path: str) -> str:
    """One sentence for a path that is not there, with the nearest name that is."""
    part = path.rstrip("/")
    while (parent := os.path.dirname(part)) != part and not os.path.isdir(parent or "."):
        part = parent
    names = [name for name in _names(parent) if not name.startswith(".")]
    sentence = f"{to_uri(path)}: there is no such file or folder"
    if part != path.rstrip("/"):
        sentence += f" (there is no {to_uri(part)})"
    return sentence + near_miss(os.path.basename(part), parent, names)
