"""WebDataset shards: samples of named bytes in tar files, the same bytes for the same samples.

```text
DATASET/shards/SET/000042.tar      a plain (USTAR) tar, not compressed, no directories, no extended headers
    KEY.json                       what the sample is, in canonical JSON; always the first member of a sample
    KEY.latent.safetensors         its data: one or more members, in the order of their names
    KEY.mp4
    NEXT_KEY.json                  keys are clip ids (32 hexadecimal digits) and ascend within a shard
    …
    1024 zero bytes                the end, and nothing after it
```
Every header has mode 0644, owner 0 without a name and time 0, so that bytes depend on samples alone. Besides what its
writer says, `KEY.json` holds

```text
version   1
key       KEY, again
members   {"latent.safetensors": {"sha256": "…", "size": 1234}, …}: every other member of the sample
sha256    SHA-256 of this object without this entry, as canonical JSON: it vouches for the whole sample
```
The table `samples` repeats that `sha256`, and says where each member's bytes begin (`member_offsets`, of the data and
not of the header) and how many they are (`member_sizes`), so that one sample is one ranged read. A reader checks all of
it: what is cut off, changed by a bit, of another version or no shard of ours is a `ShardError`. Nothing is unpickled,
and tensors are safetensors. Any WebDataset reader can read the tars as well.

Which sets there are, and what their `KEY.json` and tensors hold, is told in `trainer.shard`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from pipeline.storage import filesystem, first_line, is_remote, transfer_errors
from schemas import ConfigError, ErrorKind, MediaError

SHARD_VERSION = 1
"""Raised when a reader of the version before could not read what is written now."""

_BLOCK = tarfile.BLOCKSIZE
_END = bytes(2 * _BLOCK)
_NAME = re.compile(r"([0-9a-f]{32})\.([a-z0-9_]+(?:\.[a-z0-9_]+)?)")
_ABOUT = "json"
_OURS = frozenset({"version", "key", "members", "sha256"})
"""Entries of `KEY.json` that its writer must leave to us."""
_MAX_ABOUT_BYTES = 4 * 2**20
_MAX_MEMBER_BYTES = 2**33 - 1
"""What a USTAR header can say."""
_PIECE_BYTES = 2**26


class ShardError(ConfigError):
    """A shard is damaged, of another version, or none of ours."""


@dataclass(frozen=True)
class Sample:
    """One clip's part of a shard."""

    key: str
    """The clip's id."""
    about: Mapping[str, Any]
    """What `KEY.json` says, without what the format adds; finite numbers, strings, lists, objects."""
    members: Mapping[str, bytes]
    """Data by the rest of the member's name: `{"latent.safetensors": b"…"}`."""

    @cached_property
    def sha256(self) -> str:
        """What its `KEY.json` calls `sha256`: vouches for all of it."""
        return _described(self)[1]


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a sample lies in its shard."""

    key: str
    names: tuple[str, ...]
    """Of its members, without the key; the first is `json`."""
    offsets: tuple[int, ...]
    """Where each member's data begin in the tar, in bytes."""
    sizes: tuple[int, ...]
    """How long each is, in bytes."""
    sha256: str
    """What its `KEY.json` calls `sha256`."""


def write_shard(file: IO[bytes], samples: Iterable[Sample]) -> list[Placed]:
    """Write a whole shard, sample by sample as they come.

    Args:
        file: Written from where it stands, which counts as the beginning.
        samples: Their keys ascend.

    Raises:
        ValueError: A key or a name is none, keys do not ascend, or a sample says what is left to the format.
    """
    placed: list[Placed] = []
    place, last = 0, ""
    for sample in samples:
        if sample.key <= last:
            raise ValueError(f"keys ascend within a shard, got {sample.key} after {last}")
        last = sample.key
        about, digest = _described(sample)
        contents = {_ABOUT: about, **{name: sample.members[name] for name in sorted(sample.members)}}
        offsets = []
        for name, data in contents.items():
            file.write(_header(f"{sample.key}.{name}", len(data)))
            file.write(data)
            file.write(bytes(-len(data) % _BLOCK))
            offsets.append(place + _BLOCK)
            place += _BLOCK + len(data) + -len(data) % _BLOCK
        sizes = tuple(map(len, contents.values()))
        placed.append(Placed(sample.key, tuple(contents), tuple(offsets), sizes, digest))
    file.write(_END)
    return placed


def _described(sample: Sample) -> tuple[bytes, str]:
    """The bytes of `KEY.json`, and its digest."""
    if taken := sorted(_OURS & sample.about.keys()):
        raise ValueError(f"{taken[0]!r} is the format's own entry")
    if not sample.members or _ABOUT in sample.members:
        raise ValueError(f"a sample has members beside its json, got {sorted(sample.members)}")
    members = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for name, data in sample.members.items()
    }
    about = {**sample.about, "version": SHARD_VERSION, "key": sample.key, "members": members}
    digest = hashlib.sha256(_canonical(about)).hexdigest()
    return _canonical({**about, "sha256": digest}), digest


def _canonical(about: Mapping[str, Any]) -> bytes:
    return json.dumps(about, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def _header(name: str, size: int) -> bytes:
    if _NAME.fullmatch(name) is None or size > _MAX_MEMBER_BYTES:
        raise ValueError(f"{name!r} of {size} bytes is no member of a shard")
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")


def read_shard(file: IO[bytes], name: str) -> Iterator[Sample]:
    """Every sample of a shard in its order, each checked.

    Args:
        file: Read from where it stands, once and forwards.
        name: What messages call it.

    Raises:
        ShardError: It is cut off, damaged, of another version or no shard.
    """
    last = ""
    found: dict[str, bytes] = {}
    for key, ending, data in _members(file, name):
        if ending == _ABOUT:
            if found:
                yield _checked(last, found, name)
            if key <= last:
                raise ShardError(f"{name}: is no shard of ours: {key} follows {last}")
            last, found = key, {}
        elif key != last:
            raise ShardError(f"{name}: is no shard of ours: {key}.{ending} comes before its json")
        found[ending] = data
    if found:
        yield _checked(last, found, name)


def _members(file: IO[bytes], name: str) -> Iterator[tuple[str, str, bytes]]:
    while True:
        block = _exactly(file, _BLOCK, name)
        if not any(block):
            if any(_exactly(file, _BLOCK, name)) or file.read(1):
                raise ShardError(f"{name}: is no shard of ours: something follows its end")
            return
        try:
            info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
        except (tarfile.HeaderError, ValueError) as error:
            raise ShardError(f"{name}: is damaged: a header is no header ({error})") from error
        named = _NAME.fullmatch(info.name)
        if named is None or info.type != tarfile.REGTYPE:
            raise ShardError(f"{name}: is no shard of ours: it holds {info.name[:80]!r}")
        if named[2] == _ABOUT and info.size > _MAX_ABOUT_BYTES:
            raise ShardError(f"{name}: is no shard of ours: {info.name} has {info.size} bytes")
        if block != _header(info.name, info.size):
            raise ShardError(f"{name}: is damaged: the header of {info.name} is not as we write it")
        data = _exactly(file, info.size, name)
        if any(_exactly(file, -info.size % _BLOCK, name)):
            raise ShardError(f"{name}: is damaged behind {info.name}")
        yield named[1], named[2], data


def _exactly(file: IO[bytes], size: int, name: str) -> bytes:
    """So many bytes; memory is taken as they come, not as they are announced."""
    pieces = []
    left = size
    while left:
        piece = file.read(min(left, _PIECE_BYTES))
        if not piece:
            raise ShardError(f"{name}: is cut off")
        pieces.append(piece)
        left -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def read_sample(file: IO[bytes], placed: Placed, name: str) -> Sample:
    """One sample, from where the table `samples` says that it lies, checked against what is said of it there.

    Args:
        file: Can be positioned.
        placed: The sample's row.
        name: What messages call the shard.

    Raises:
        ShardError: Something else lies there: the shard is damaged, or was written again since.
    """
    found = {}
    for ending, offset, size in zip(placed.names, placed.offsets, placed.sizes, strict=True):
        if offset < 0 or not 0 <= size <= _MAX_MEMBER_BYTES:
            raise ShardError(f"{name}: the manifest says that {placed.key}.{ending} has {size} bytes at {offset}")
        file.seek(offset)
        found[ending] = _exactly(file, size, name)
    return _checked(placed.key, found, name, placed.sha256)


def _checked(key: str, found: Mapping[str, bytes], name: str, sha256: str | None = None) -> Sample:
    """A sample whose parts agree with each other, and with a digest where one is given."""
    try:
        about = json.loads(found[_ABOUT])
        version, said = about.pop("version"), about.pop("sha256")
        members = about["members"]
        whole = hashlib.sha256(_canonical({**about, "version": version})).hexdigest()
        sums = {ending: entry["sha256"] for ending, entry in members.items()}
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise ShardError(f"{name}: {key}.json is damaged") from error
    if version != SHARD_VERSION:
        raise ShardError(f"{name}: {key}.json is of version {version!r}, we read {SHARD_VERSION}")
    if whole != said or about["key"] != key or (sha256 is not None and said != sha256):
        raise ShardError(f"{name}: {key}.json is damaged, or not the one that the manifest means")
    data = {ending: found[ending] for ending in found if ending != _ABOUT}
    if sums.keys() != data.keys():
        raise ShardError(f"{name}: {key} has the members {sorted(data)}, and its json lists {sorted(sums)}")
    for ending, content in data.items():
        if hashlib.sha256(content).hexdigest() != sums[ending]:
            raise ShardError(f"{name}: {key}.{ending} is damaged")
    rest = {entry: value for entry, value in about.items() if entry not in _OURS}
    return Sample(key, rest, data)


class ShardStore:
    """A folder of tars in a dataset, at a local path or on an object store.

    Args:
        root: The dataset.
        folder: Below it.
    """

    def __init__(self, root: str, folder: str = "shards") -> None:
        self.fs, base = filesystem(root)
        self.is_remote = is_remote(root)
        self._base = f"{base.rstrip('/')}/{folder}"

    def path(self, name: str) -> str:
        """Where a shard lies, for `fs`.

        Args:
            name: `SET/000042.tar`.
        """
        return f"{self._base}/{name}"

    def write(self, name: str, samples: Iterable[Sample]) -> list[Placed]:
        """Write a shard whole, in the place of one of this name; until it is whole nobody sees anything of it.

        Raises:
            MediaError: The dataset cannot be written (kind `storage`).
        """
        path = self.path(name)
        try:
            if self.is_remote:
                return self._upload(path, samples)
            folder = Path(path).parent
            folder.mkdir(parents=True, exist_ok=True)
            for left in folder.glob(f"{Path(path).name}.*.tmp"):
                # Of a writer that was killed; one that is not sure to be dead writes under its own name and fails.
                left.unlink(missing_ok=True)
            scratch = Path(f"{path}.{os.getpid()}.tmp")
            with scratch.open("wb") as file:
                placed = write_shard(file, samples)
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(path)
        except transfer_errors() as error:
            raise MediaError(ErrorKind.storage, f"{name} cannot be written: {first_line(error)}") from error
        return placed

    def _upload(self, path: str, samples: Iterable[Sample]) -> list[Placed]:
        with tempfile.NamedTemporaryFile() as file:
            placed = write_shard(file, samples)
            file.flush()
            self.fs.put_file(file.name, path)
        return placed

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """A shard's bytes, to be read and positioned.

        Raises:
            ShardError: It is not there.
        """
        try:
            file = self.fs.open(self.path(name), "rb")
        except FileNotFoundError as error:
            raise ShardError(f"{name}: there is no such shard") from error
        with file:
            yield file

    def read(self, name: str) -> Iterator[Sample]:
        """Every sample of a shard, checked.

        Raises:
            ShardError: It is not there, or damaged.
        """
        with self.open(name) as file:
            yield from read_shard(file, name)

    def names(self, below: str) -> list[str]:
        """The tars below a folder (`SET`), as `SET/000042.tar`, sorted; none where there is no such folder."""
        found: Sequence[str] = self.fs.find(self.path(below))
        start = len(self._base) + 1
        return sorted(path[start:] for path in found if path.endswith(".tar"))

    def remove(self, name: str) -> None:
        """Remove a shard, if it is there."""
        try:
            self.fs.rm_file(self.path(name))
        except FileNotFoundError:
            return
