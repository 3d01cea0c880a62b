"""Plan a run, and do it: each step in order, results committed as they come, the ledger last."""

from __future__ import annotations

import errno
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dag import Step
from pipeline.dataset import Dataset
from pipeline.executor import Executor
from pipeline.ledger import Ledger, State, Unit, UnitParts, ledger_rows, leftovers
from pipeline.manifest import Manifest, to_table
from pipeline.progress import Progress
from schemas import TABLES, ConfigError, ErrorKind, Result

_FIRST_COMMIT_S = 1.0
_COMMIT_EVERY_S = 30.0
"""A commit takes some 15 ms a table; what was done since the last one is done again after a kill. The
interval doubles from the first value to the second, so that the first clips can be looked at early."""
_COMMIT_RESULTS = 256
"""Results wait in memory, some ten kilobytes each."""


@dataclass(frozen=True, slots=True)
class StagePlan:
    """What one step would do."""

    stage: str
    num_done: int
    units: Sequence[Unit[Any]]
    """What is to do and what is stale."""

    @property
    def num_todo(self) -> int:
        """Units never done."""
        return sum(unit.state is State.todo for unit in self.units)

    @property
    def stale(self) -> Mapping[str, int]:
        """Units done before and to be done again, counted by the reason."""
        return Counter(unit.why for unit in self.units if unit.state is State.stale)

    @property
    def cost_s(self) -> float:
        """Roughly how long one core would be occupied, in seconds."""
        return sum(float(unit.item.cost_s) for unit in self.units)


@dataclass(slots=True)
class StageReport:
    """What one step did."""

    name: str
    started_at: str
    ended_at: str = ""
    busy_s: float = 0.0
    items: int = 0
    frames: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """As `runs/RUN_ID.json` holds it."""
        return {
            "name": self.name,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "busy_s": round(self.busy_s, 3),
            "items": self.items,
            "frames": self.frames,
            "errors": dict(sorted(self.errors.items())),
        }


def plan_step(step: Step, manifest: Manifest, *, retry_errors: bool = False) -> StagePlan:
    """What a step would do with the tables as they are. Changes nothing."""
    ledger = Ledger(manifest, step.stage.name, retry_errors=retry_errors)
    num_done, units = 0, []
    for item in step.inputs(manifest):
        unit = ledger.judge(item, step.parts(item))
        if unit.state is State.done:
            num_done += 1
        else:
            units.append(unit)
    return StagePlan(step.stage.name, num_done, units)


def run_steps(
    steps: Sequence[Step],
    dataset: Dataset,
    executor: Executor,
    run_id: str,
    *,
    retry_errors: bool = False,
    progress: Callable[[str, int], Progress] = Progress,
) -> list[StageReport]:
    """Do everything that is to do or stale, step by step, and leave the tables tidy.

    Args:
        steps: In order.
        dataset: Locked by the caller.
        executor: What runs the stages.
        run_id: Recorded with each unit.
        retry_errors: Whether errors of a lasting kind are tried again too.
        progress: Makes the display of one stage.

    Raises:
        ConfigError: The dataset cannot be written.
    """
    reports, is_checked = [], False
    with _storage_trouble(dataset.root):
        try:
            for step in steps:
                plan = plan_step(step, dataset.manifest, retry_errors=retry_errors)
                if plan.units and not is_checked:
                    # All at the first need: no cluster is started for nothing, nor half the work done in vain.
                    executor.check([step.stage for step in steps])
                    is_checked = True
                reports.append(_run_step(step, plan, dataset, executor, run_id, progress))
                if step.settle is not None:
                    step.settle(dataset.manifest)
        finally:
            dataset.manifest.tidy()
    return reports


def _run_step(
    step: Step,
    plan: StagePlan,
    dataset: Dataset,
    executor: Executor,
    run_id: str,
    progress: Callable[[str, int], Progress],
) -> StageReport:
    report = StageReport(step.stage.name, started_at=_now())
    commits = _Commits(step, plan, dataset.manifest, run_id)
    shown = progress(step.stage.name, len(plan.units))
    try:
        for result in executor.run(step.stage, [unit.item for unit in plan.units]):
            if result.error is not None and result.error.kind is ErrorKind.storage:
                raise ConfigError(f"{dataset.root}: {result.error}")
            commits.add(result)
            shown.add(result)
            report.items += 1
            report.frames += result.frames
            report.busy_s += result.busy_s
            if result.error is not None:
                report.errors[result.error.kind.value] += 1
        commits.flush()
    except KeyboardInterrupt:
        commits.flush()
        raise
    finally:
        shown.close()
    report.ended_at = _now()
    return report


class _Commits:
    """Gathers results and commits them in batches: rows of each table first, the ledger last."""

    def __init__(self, step: Step, plan: StagePlan, manifest: Manifest, run_id: str) -> None:
        self._stage, self._manifest, self._run_id = step.stage, manifest, run_id
        self._parts: dict[str, UnitParts] = {unit.item.input_id: unit.parts for unit in plan.units}
        ids = set(self._parts)
        self._old = {table: leftovers(manifest, table, ids) for table in step.stage.writes}
        # The plan has read the ledger already: what is stale has a row there, and nothing else has.
        self._old["ledger"] = {unit.item.input_id for unit in plan.units if unit.state is State.stale}
        self._waiting: list[Result] = []
        self._interval_s = _FIRST_COMMIT_S
        self._due = time.monotonic() + self._interval_s

    def add(self, result: Result) -> None:
        """Take a result; commit when it is time."""
        self._waiting.append(result)
        if time.monotonic() > self._due or len(self._waiting) >= _COMMIT_RESULTS:
            self.flush()
            self._interval_s = min(2 * self._interval_s, _COMMIT_EVERY_S)
            self._due = time.monotonic() + self._interval_s

    def flush(self) -> None:
        """Commit what has been taken."""
        if not self._waiting:
            return
        for table in self._stage.writes:
            rows = [row for result in self._waiting for row in result.rows.get(table, ())]
            self._put(table, to_table(table, rows))
        done = ledger_rows(self._waiting, self._parts, self._run_id)
        self._put("ledger", to_table("ledger", done), among=self._stage.name)
        self._waiting = []

    def _put(self, table: str, rows: pa.Table, among: str | None = None) -> None:
        """Replace what inputs had before; append for those that had nothing, which reads no old file."""
        owners = self._old[table] & {result.input_id for result in self._waiting}
        if owners:
            of_old = pc.is_in(rows[TABLES[table].owner], pa.array(sorted(owners), pa.string()))
            self._manifest.replace(table, rows.filter(of_old), sorted(owners), among=among)
            rows = rows.filter(pc.invert(of_old))
        self._manifest.append(table, rows)


@contextmanager
def _storage_trouble(root: str) -> Iterator[None]:
    """Turn a full disk, a lost right or an unreachable store under the dataset into one sentence."""
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{root}: cannot be written: {_reason(error)}") from error


def _reason(error: OSError) -> str:
    text = str(error)
    if error.errno == errno.ENOSPC or "No space left" in text:
        return "no space left on the device"
    return error.strerror or text.splitlines()[0][:200]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
