"""What is done, what is stale and why, what is to do.

A unit of work is one input of one stage. Its key is a digest of everything that its rows depend on, so
that a unit is done exactly when a row with its key is in the ledger.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

import numpy as np
import pyarrow.compute as pc

from pipeline.manifest import Manifest
from pipeline.worklist import Key
from schemas import TRANSIENT, ErrorKind, Input, Result, digest

In = TypeVar("In", bound=Input)

_KEY_CHARACTERS = 32


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

    def key(self, *, is_stale: bool) -> Key:
        """What the ledger records of the unit."""
        return Key(self.unit_key, " ".join(f"{name}={value}" for name, value in self.short.items()), is_stale)


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


class Ledger:
    """The ledger's rows of one stage, as they were when a run began: on disk, so that their number costs no memory.

    Args:
        manifest: The dataset's tables.
        stage: Whose rows.
        retry_errors: Whether units that ended in an error of a lasting kind are done again too.
    """

    def __init__(self, manifest: Manifest, stage: str, *, retry_errors: bool = False) -> None:
        self._retry_errors = retry_errors
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1024;"
            "CREATE TABLE ledger (input_id TEXT PRIMARY KEY, unit_key TEXT, parts TEXT, error_kind TEXT) WITHOUT ROWID"
        )
        columns = ("input_id", "unit_key", "parts", "error_kind")
        for rows in manifest.batches("ledger", columns, where=pc.field("stage") == stage):
            values = zip(*(column.to_pylist() for column in rows.columns), strict=True)
            self._db.executemany("INSERT OR REPLACE INTO ledger VALUES (?, ?, ?, ?)", values)

    def judge(self, item: In, parts: UnitParts) -> Unit[In]:
        """Say where one input stands."""
        question = "SELECT unit_key, parts, error_kind FROM ledger WHERE input_id = ?"
        entry = self._db.execute(question, (item.input_id,)).fetchone()
        if entry is None:
            return Unit(item, parts, State.todo)
        unit_key, before, error_kind = entry
        if unit_key != parts.unit_key:
            return Unit(item, parts, State.stale, _what_changed(before, parts))
        if error_kind is not None and (self._retry_errors or ErrorKind(error_kind) in TRANSIENT):
            return Unit(item, parts, State.stale, f"tried again after {error_kind}")
        return Unit(item, parts, State.done)


def _what_changed(before: str, now: UnitParts) -> str:
    old = dict(part.split("=", 1) for part in before.split(" ") if "=" in part)
    changed = [name for name, value in now.short.items() if old.get(name) != value]
    return " and ".join(changed) + " changed"


def ledger_rows(stage: str, results: Iterable[Result], keys: Mapping[str, Key], run_id: str) -> list[dict[str, object]]:
    """The rows that record these results.

    Args:
        stage: Whose results they are.
        results: What became of the inputs.
        keys: By input id.
        run_id: Which run did them.
    """
    return [
        {
            "unit_key": keys[result.input_id].unit_key,
            "stage": stage,
            "input_id": result.input_id,
            "outcome": "ok" if result.error is None else "error",
            "error_kind": None if result.error is None else result.error.kind.value,
            "error": None if result.error is None else str(result.error),
            "parts": keys[result.input_id].parts,
            "run_id": run_id,
        }
        for result in results
    ]


def digest_of_stages(manifest: Manifest, stages: Sequence[str]) -> str:
    """A digest of all that some stages have done, that does not depend on the order of the rows.

    Unit keys are digests already, so that sums of their words tell two sets apart; outcomes are summed apart,
    since a unit that succeeds at its second try keeps its key.
    """
    sums = np.zeros((2, _KEY_CHARACTERS // 8), np.uint64)
    num_units = 0
    where = pc.field("stage").isin(list(stages))
    for rows in manifest.batches("ledger", ("unit_key", "outcome"), where=where):
        for k, outcome in enumerate(("ok", "error")):
            chosen = rows.filter(pc.equal(rows["outcome"], outcome))["unit_key"].to_pylist()
            words = np.frombuffer("".join(chosen).encode(), "<u8").reshape(-1, sums.shape[1])
            sums[k] += words.sum(axis=0, dtype=np.uint64)
            num_units += len(chosen)
    return digest([*map(str, sums.ravel().tolist()), num_units])
