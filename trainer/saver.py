"""Checkpoints are written beside the training: it waits while its state is copied, and not for the disk."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from schemas import ConfigError
from trainer.checkpoint import ABOUT, FOLDER, VERSION, Piece, folders
from trainer.distributed import Ranks

_SCRATCH = ".scratch-"
T = TypeVar("T")


class Saver:
    """Writes the checkpoints of a run, one at a time, all ranks together.

    Args:
        run_folder: The run's.
        run: Digest of its config and samples.
        shapes: Of every parameter that is trained.
        keep: Newest checkpoints that stay.
        ranks: This process among all.
    """

    def __init__(
        self, run_folder: Path, *, run: str, shapes: Mapping[str, Sequence[int]], keep: int, ranks: Ranks
    ) -> None:
        self._run_folder, self._run, self._shapes, self._keep, self._ranks = run_folder, run, shapes, keep, ranks
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._under_way: tuple[Future[str], dict[str, Any]] | None = None

    def begin(self, pieces: Iterable[Piece], *, step: int, state: Mapping[str, Any]) -> None:
        """Copy what this rank keeps, and let it be written; a checkpoint before it is finished first.

        Raises:
            ConfigError: One of them cannot be written.
        """
        self.finish()
        scratch = self._scratch(step)
        if self._ranks.is_first:
            _try(lambda: _empty(scratch), scratch)
        self._ranks.wait()
        copies = [Piece(p.kind, p.name, p.start, p.values.detach().to("cpu", copy=True)) for p in pieces]
        about = {"version": VERSION, "step": step, "run": self._run, "shapes": self._shapes, "state": state}
        self._under_way = self._thread.submit(_write_pieces, scratch / self._name, copies), about

    @property
    def is_written(self) -> bool:
        """Whether a checkpoint is under way, and this rank's part of it lies on the disk."""
        return self._under_way is not None and self._under_way[0].done()

    def finish(self) -> None:
        """Wait until all ranks have written, and give the checkpoint its name; without one under way, nothing.

        Raises:
            ConfigError: It cannot be written.
        """
        if self._under_way is None:
            return
        writing, about = self._under_way
        self._under_way = None
        scratch = self._scratch(about["step"])
        sums = self._ranks.gather((self._name, _try(writing.result, scratch)))
        if self._ranks.is_first:
            folder = self._run_folder / FOLDER / f"{about['step']:08d}"
            _try(lambda: _finish(scratch, folder, {**about, "files": dict(sums)}), folder)
            for old in folders(self._run_folder)[self._keep :]:
                shutil.rmtree(old)
        self._ranks.wait()

    @property
    def _name(self) -> str:
        return f"rank-{self._ranks.rank:05d}.safetensors"

    def _scratch(self, step: int) -> Path:
        return self._run_folder / FOLDER / f"{_SCRATCH}{step:08d}"


def _try(write: Callable[[], T], path: Path) -> T:
    try:
        return write()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror or error}") from error


def _empty(folder: Path) -> None:
    # What a killed run was writing lies there too.
    for left in folder.parent.glob(f"{_SCRATCH}*"):
        shutil.rmtree(left)
    folder.mkdir(parents=True)


def _write_pieces(path: Path, pieces: Sequence[Piece]) -> str:
    """Write one rank's file to the disk itself; give its digest."""
    from safetensors.torch import save as to_bytes

    starts = {f"{piece.kind}/{piece.name}": piece.start for piece in pieces}
    tensors = {f"{piece.kind}/{piece.name}": piece.values.contiguous() for piece in pieces}
    data = to_bytes(tensors, {"starts": json.dumps(starts)})
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return hashlib.sha256(data).hexdigest()


def _finish(scratch: Path, folder: Path, about: Mapping[str, Any]) -> None:
    with (scratch / ABOUT).open("w", encoding="utf-8") as file:
        json.dump(about, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    if folder.exists():
        shutil.rmtree(folder)
    scratch.replace(folder)
    descriptor = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
