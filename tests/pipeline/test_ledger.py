from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pipeline.ledger import Ledger, State, UnitParts, ledger_rows
from pipeline.manifest import Manifest
from schemas import ErrorKind, MediaError, Result, Row

PARTS = UnitParts(stage="scan", version=1, config="c" * 32, models="m" * 32, upstream="u" * 32)


@dataclass(frozen=True)
class Item:
    input_id: str
    cost_s: float = 0.0

    def to_row(self) -> Row:
        return {"input_id": self.input_id}


def record(manifest: Manifest, result: Result) -> None:
    manifest.append("ledger", ledger_rows("scan", [result], {result.input_id: PARTS.key(is_stale=False)}, "run"))


def test_a_unit_is_done_once_its_row_is_in_the_ledger(tmp_path: Path) -> None:
    manifest = Manifest(str(tmp_path))
    assert Ledger(manifest, "scan").judge(Item("a"), PARTS).state is State.todo
    record(manifest, Result("a"))
    assert Ledger(manifest, "scan").judge(Item("a"), PARTS).state is State.done
    assert Ledger(manifest, "ingest").judge(Item("a"), PARTS).state is State.todo


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        pytest.param(replace(PARTS, version=2), "code changed", id="code"),
        pytest.param(replace(PARTS, config="d" * 32), "config changed", id="config"),
        pytest.param(replace(PARTS, models="n" * 32), "models changed", id="models"),
        pytest.param(replace(PARTS, version=2, upstream="v" * 32), "code and input changed", id="two at once"),
    ],
)
def test_a_stale_unit_tells_what_changed(tmp_path: Path, changed: UnitParts, why: str) -> None:
    manifest = Manifest(str(tmp_path))
    record(manifest, Result("a"))
    unit = Ledger(manifest, "scan").judge(Item("a"), changed)
    assert (unit.state, unit.why) == (State.stale, why)


@pytest.mark.parametrize(
    ("kind", "retry", "state"),
    [
        pytest.param(ErrorKind.corrupt, False, State.done, id="a lasting error is a result"),
        pytest.param(ErrorKind.corrupt, True, State.stale, id="unless it is asked for"),
        pytest.param(ErrorKind.io, False, State.stale, id="a passing error is tried again"),
        pytest.param(ErrorKind.worker_crash, False, State.stale, id="so is a dead worker"),
    ],
)
def test_errors_are_tried_again_by_their_kind(tmp_path: Path, kind: ErrorKind, retry: bool, state: State) -> None:
    manifest = Manifest(str(tmp_path))
    record(manifest, Result("a", error=MediaError(kind, "why")))
    assert Ledger(manifest, "scan", retry_errors=retry).judge(Item("a"), PARTS).state is state


def test_every_part_is_in_the_key() -> None:
    keys = {
        replace(PARTS, **{name: value}).unit_key  # type: ignore[arg-type]
        for name, value in {"stage": "x", "version": 2, "config": "x", "models": "x", "upstream": "x"}.items()
    }
    assert len(keys | {PARTS.unit_key}) == 6
