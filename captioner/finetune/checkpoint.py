"""From what a stopped training goes on as if nothing had happened: written whole or not at all, and checked."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from schemas import file_digest

_KEPT = 2
_STATE = "state.json"
WEIGHTS = "weights.safetensors"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training is."""

    step: int = 0
    """Steps that are done, those left out by phases that ended early among them."""
    best: float | None = None
    """The least loss so far, in this phase, on what is kept back."""
    misses: int = 0
    """Measurements since then."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One that is whole."""

    folder: Path
    progress: Progress

    def weights(self) -> dict[str, Any]:
        """The trained weights by name."""
        return _tensors(self.folder / WEIGHTS)

    def states(self, rank: int) -> dict[str, Any]:
        """What a rank saved of its own."""
        return _tensors(self.folder / rank_file(rank))


def save(folder: Path, step: int, tensors: Mapping[str, Mapping[str, Any]]) -> None:
    """Write a rank's files of a checkpoint; `seal` makes them one.

    Args:
        folder: Where checkpoints lie.
        step: Steps that are done.
        tensors: Of its files, by name.
    """
    from safetensors.torch import save_file

    part = _part(folder, step)
    part.mkdir(parents=True, exist_ok=True)
    for name, values in tensors.items():
        save_file({key: value.contiguous() for key, value in values.items()}, part / name)
        _flush(part / name)


def seal(folder: Path, progress: Progress, run: str, num_ranks: int) -> None:
    """Make the files of all ranks a checkpoint, and let go of those before the last two.

    Args:
        folder: Where checkpoints lie.
        progress: How far the training is.
        run: A digest of what is trained and how: another run does not go on from it.
        num_ranks: How many ranks have saved.
    """
    part = _part(folder, progress.step)
    files = {path.name: file_digest(path) for path in sorted(part.glob("*.safetensors"))}
    state = {"run": run, "num_ranks": num_ranks, "files": files, "progress": asdict(progress)}
    (part / _STATE).write_text(json.dumps(state, indent=1), encoding="utf-8")
    _flush(part / _STATE)
    final = folder / f"{progress.step:08}"
    shutil.rmtree(final, ignore_errors=True)
    part.rename(final)
    for old in sorted(folder.glob("[0-9]" * 8))[:-_KEPT]:
        shutil.rmtree(old)


def newest(folder: Path, run: str, num_ranks: int) -> Checkpoint | None:
    """The newest whole checkpoint of a run; a broken one is passed over with a warning.

    Raises:
        ValueError: There are only those of another run, or of another number of ranks.
    """
    foreign = ""
    for found in sorted(folder.glob("[0-9]" * 8), reverse=True):
        try:
            state = json.loads((found / _STATE).read_bytes())
            progress = Progress(**state["progress"])
            broken = [name for name, known in state["files"].items() if file_digest(found / name) != known]
        except (OSError, ValueError, TypeError, KeyError) as error:
            warnings.warn(f"{found} is broken and passed over: {error}", stacklevel=2)
            continue
        if broken:
            warnings.warn(f"{found} is broken and passed over: {broken[0]} is not what was written", stacklevel=2)
        elif state["run"] != run:
            foreign = "is of another training (other clips, captions, model or config)"
        elif state["num_ranks"] != num_ranks:
            foreign = f"was written by {state['num_ranks']} ranks, and these are {num_ranks}"
        else:
            return Checkpoint(found, progress)
    if foreign:
        raise ValueError(f"{folder}: what lies there {foreign}; name another --out, or go on as it was")
    return None


def rank_file(rank: int) -> str:
    """The name of what a rank saves of its own."""
    return f"rank_{rank:03}.safetensors"


def _part(folder: Path, step: int) -> Path:
    return folder / f"part-{step:08}"


def _tensors(path: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    loaded: dict[str, Any] = load_file(path)
    return loaded


def _flush(path: Path) -> None:
    """To the disk: a name must not be there before what it names."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
