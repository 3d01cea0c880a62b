"""What is done, what is stale and why, what is to do.

A unit of work is one input of one stage. Its key is a digest of everything that its rows depend on, so
that a unit is done exactly when a row with its key is in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

import pyarrow.compute as pc

from pipeline.manifest import Manifest
from schemas import TABLES, TRANSIENT, ErrorKind, Input, Result, digest

In = TypeVar("In", bound=Input)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitParts:
    """Everything that the rows of one unit depend on."""

    stage: str
    version: int
    config: str
    """Digest of the config values that can change what comes out for this input."""
    models: str
    """Digest of the models used."""
    upstream: str
    """Digest of the content, or the unit keys, that it reads."""

    @property
    def unit_key(self) -> str:
        """The key: 32 hexadecimal digits."""
        return digest([self.stage, self.version, self.config, self.models, self.upstream])

    @property
    def short(self) -> dict[str, str]:
        """The parts as the ledger keeps them beside the key, to tell later which of them changed."""
        return {
            "code": f"{self.version}",
            "config": self.config[:8],
            "models": self.models[:8],
            "input": self.upstream[:8],
        }


class State(StrEnum):
    """Where a unit stands."""

    done = "done"
    stale = "stale"
    todo = "todo"


@dataclass(frozen=True, slots=True)
class Unit(Generic[In]):
    """One input of one stage, and where it stands."""

    item: In
    parts: UnitParts
    state: State
    why: str = ""
    """Of a stale unit: which part changed (`code`, `config`, `models`, `input`), or why it is tried again."""


@dataclass(frozen=True, slots=True)
class _Entry:
    unit_key: str
    parts: str
    outcome: str
    error_kind: str | None


class Ledger:
    """The ledger's rows of one stage, as they were when a run began.

    Args:
        manifest: The dataset's tables.
        stage: Whose rows.
        retry_errors: Whether units that ended in an error of a lasting kind are done again too.
    """

    def __init__(self, manifest: Manifest, stage: str, *, retry_errors: bool = False) -> None:
        columns = ("input_id", "unit_key", "parts", "outcome", "error_kind")
        rows = manifest.read("ledger", columns, where=pc.field("stage") == stage)
        self._retry_errors = retry_errors
        self._entries = {
            input_id: _Entry(*rest)
            for input_id, *rest in zip(*(column.to_pylist() for column in rows.columns), strict=True)
        }

    def judge(self, item: In, parts: UnitParts) -> Unit[In]:
        """Say where one input stands."""
        entry = self._entries.get(item.input_id)
        if entry is None:
            return Unit(item, parts, State.todo)
        if entry.unit_key != parts.unit_key:
            return Unit(item, parts, State.stale, _what_changed(entry.parts, parts))
        if entry.error_kind is not None and (self._retry_errors or ErrorKind(entry.error_kind) in TRANSIENT):
            return Unit(item, parts, State.stale, f"tried again after {entry.error_kind}")
        return Unit(item, parts, State.done)


def _what_changed(before: str, now: UnitParts) -> str:
    old = dict(part.split("=", 1) for part in before.split(" ") if "=" in part)
    changed = [name for name, value in now.short.items() if old.get(name) != value]
    return " and ".join(changed) + " changed"


def ledger_rows(results: Iterable[Result], parts: Mapping[str, UnitParts], run_id: str) -> list[dict[str, object]]:
    """The rows that record these results.

    Args:
        results: What became of the inputs.
        parts: By input id.
        run_id: Which run did them.
    """
    return [
        {
            "unit_key": parts[result.input_id].unit_key,
            "stage": parts[result.input_id].stage,
            "input_id": result.input_id,
            "outcome": "ok" if result.error is None else "error",
            "error_kind": None if result.error is None else result.error.kind.value,
            "error": None if result.error is None else str(result.error),
            "parts": " ".join(f"{k}={v}" for k, v in parts[result.input_id].short.items()),
            "run_id": run_id,
        }
        for result in results
    ]


def leftovers(manifest: Manifest, table: str, ids: set[str]) -> set[str]:
    """Which inputs have rows already: stale ones, and those of a run that died between two commits.

    Args:
        manifest: The dataset's tables.
        table: Where to look.
        ids: Inputs that are to be done, by the table's owner column.
    """
    column = TABLES[table].owner
    owners = pc.unique(manifest.read(table, [column])[column])
    return ids.intersection(owners.to_pylist())
