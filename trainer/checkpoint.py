"""Checkpoints: named pieces of fp32 weights, optimizer states and means, which any number of ranks can take up.

```text
RUN/checkpoints/00001000/
  checkpoint.json           version, step, run, shapes, optimizer scalars, the loop's own state, SHA-256 of each file
  rank-00000.safetensors    KIND/PARAMETER: the piece that this rank kept, flat; its metadata say where pieces begin
  rank-00001.safetensors    …
```
Each rank writes the pieces that ZeRO has given it, so nothing is gathered; because a piece says which numbers of which
parameter it holds, another number of ranks or another ZeRO stage reads what it needs of all files. Nothing is pickled.
A folder appears under its name once all its files are there, so what bears a number is whole unless a disk failed, and
that the digests show.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch

from schemas import ConfigError

VERSION = 1
FOLDER = "checkpoints"
WEIGHT = "weight"
MEAN = "ema"
ABOUT = "checkpoint.json"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some numbers of a parameter, or of what goes with it."""

    kind: str
    """`weight`, `ema`, or the name of an optimizer state."""
    name: str
    """Of the parameter."""
    start: int
    """Where it begins in the flattened parameter."""
    values: torch.Tensor
    """fp32, flat."""


@dataclass(frozen=True, slots=True)
class About:
    """What `checkpoint.json` says."""

    step: int
    """Updates done."""
    run: str
    """Digest of the run's config and samples."""
    shapes: Mapping[str, Sequence[int]]
    """Of every parameter that is trained."""
    state: Mapping[str, Any]
    """The loop's own."""
    files: Mapping[str, str]
    """SHA-256 of each file."""


class DamagedError(Exception):
    """A checkpoint that cannot be read; the one before may."""


def folders(run_folder: Path) -> list[Path]:
    """Checkpoints, the newest first."""
    found = [path for path in (run_folder / FOLDER).glob("*") if path.name.isdecimal() and path.is_dir()]
    return sorted(found, key=lambda path: int(path.name), reverse=True)


def newest(run_folder: Path, warn: Callable[[str], None]) -> Path | None:
    """The newest checkpoint that is whole; None where there are none at all.

    Args:
        run_folder: The run's.
        warn: Told of each that is passed over.

    Raises:
        ConfigError: There are some, and none of them can be read.
    """
    found = folders(run_folder)
    for folder in found:
        try:
            check(folder)
        except DamagedError as error:
            warn(f"{error}; it is passed over")
        else:
            return folder
    if found:
        raise ConfigError(f"{run_folder / FOLDER}: none of {len(found)} checkpoints can be read; name another --out")
    return None


def check(folder: Path) -> About:
    """Read what a checkpoint says of itself, and compare every file with its digest.

    Raises:
        DamagedError: It is not whole.
    """
    about = read_about(folder)
    for name, wanted in about.files.items():
        try:
            with (folder / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise DamagedError(f"{folder}: {name} cannot be read: {error.strerror or error}") from error
        if found != wanted:
            raise DamagedError(f"{folder}: {name} is damaged")
    return about


def read_about(folder: Path) -> About:
    """What a checkpoint says of itself.

    Raises:
        DamagedError: It says nothing that can be read, or is of another version.
    """
    try:
        found = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        version = found.pop("version")
        about = About(**found)
        # A name must not lead out of the folder.
        names_are_plain = all(Path(name).name == name for name in about.files)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedError(f"{folder}: {ABOUT} cannot be read: {error}") from error
    if version != VERSION or not names_are_plain:
        raise DamagedError(f"{folder}: {ABOUT} is of version {version!r}, we read {VERSION}")
    return about


class Pieces:
    """The pieces of a checkpoint, read as they are asked for.

    Args:
        folder: The checkpoint's.

    Raises:
        DamagedError: A file is none of ours.
    """

    def __init__(self, folder: Path) -> None:
        from safetensors import SafetensorError, safe_open

        self.about = read_about(folder)
        self._folder = folder
        self._stack = ExitStack()
        self._where: dict[str, list[tuple[int, int, Any]]] = {}
        try:
            for name in sorted(self.about.files):
                file = self._stack.enter_context(safe_open(folder / name, "pt"))
                starts = json.loads((file.metadata() or {})["starts"])
                for key in file.keys():  # noqa: SIM118 -- it is no dict
                    (length,) = file.get_slice(key).get_shape()
                    self._where.setdefault(key, []).append((int(starts[key]), length, file))
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            self._stack.close()
            raise DamagedError(f"{folder}: its files are not those of a checkpoint: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def kinds(self) -> list[str]:
        """What is held of parameters."""
        return sorted({key.partition("/")[0] for key in self._where})

    def has(self, kind: str, name: str) -> bool:
        """Whether there is anything of a kind for a parameter."""
        return f"{kind}/{name}" in self._where

    def read(self, kind: str, name: str, start: int, length: int) -> torch.Tensor:
        """Some numbers of a parameter, fp32 (length,).

        Raises:
            DamagedError: Not all of them are there.
        """
        found = torch.empty(length)
        filled = 0
        for first, count, file in self._where.get(f"{kind}/{name}", ()):
            low, high = max(first, start), min(first + count, start + length)
            if low < high:
                found[low - start : high - start] = file.get_slice(f"{kind}/{name}")[low - first : high - first]
                filled += high - low
        if filled != length:
            raise DamagedError(f"{self._folder}: {kind} of {name} has {filled} of {length} numbers")
        return found

    def whole(self, kind: str) -> Iterator[tuple[str, torch.Tensor]]:
        """Every parameter that is trained, put together, with its name."""
        for name, shape in self.about.shapes.items():
            yield name, self.read(kind, name, 0, int(torch.Size(shape).numel())).reshape(tuple(shape))
