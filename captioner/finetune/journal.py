"""What a training writes down as it goes: one line a step, in order, also after a stop."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, TextIO

_STEPS, _HELD_OUT, _UNREADABLE = "steps.jsonl", "heldout.jsonl", "unreadable.jsonl"


class Journal:
    """The files of one training.

    Args:
        folder: Where they lie.
        step: From which step on the training goes: lines that tell of later ones are taken back.
        is_writer: Whether this rank writes.
    """

    def __init__(self, folder: Path, step: int, *, is_writer: bool) -> None:
        self._files: dict[str, TextIO] = {}
        if not is_writer:
            return
        folder.mkdir(parents=True, exist_ok=True)
        _cut(folder / _STEPS, lambda line: line["step"] < step)
        _cut(folder / _HELD_OUT, lambda line: line["step"] <= step)
        for name in (_STEPS, _HELD_OUT, _UNREADABLE):
            self._files[name] = (folder / name).open("a", encoding="utf-8")

    def step(self, **values: Any) -> None:
        """One update."""
        self._write(_STEPS, values)

    def held_out(self, **values: Any) -> None:
        """One measurement on what is kept back."""
        self._write(_HELD_OUT, values)

    def unreadable(self, **values: Any) -> None:
        """A clip from which nothing could be learnt."""
        self._write(_UNREADABLE, values)

    def flush(self) -> None:
        """To the disk, before a checkpoint that says that these steps are done."""
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """Let the files go."""
        for file in self._files.values():
            file.close()

    def _write(self, name: str, values: dict[str, Any]) -> None:
        if name in self._files:
            self._files[name].write(json.dumps(values) + "\n")


def _cut(path: Path, is_kept: Any) -> None:
    """Take back the lines that are not kept, and a last one that was cut off."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    kept = [line for line in whole if is_kept(json.loads(line))]
    part = path.with_name(f"part-{path.name}")
    part.write_text("".join(kept), encoding="utf-8")
    part.replace(path)
