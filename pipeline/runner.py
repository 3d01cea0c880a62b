"""Do a run: each step in order, results committed as they come, the ledger last."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake.exceptions import DeltaError

from pipeline.dag import InputStep, Step, TableStep, upstream
from pipeline.dataset import Dataset
from pipeline.executor import Executor
from pipeline.ledger import ledger_rows
from pipeline.manifest import Manifest, to_table
from pipeline.plan import WHOLE, StagePlan, plan_step
from pipeline.progress import Progress
from pipeline.worklist import Worklist
from schemas import TABLES, ConfigError, ErrorKind, Result

_FIRST_COMMIT_S = 1.0
_COMMIT_EVERY_S = 30.0
"""A commit takes some 15 ms a table; what was done since the last one is done again after a kill. The
interval doubles from the first value to the second, so that the first clips can be looked at early."""
_COMMIT_RESULTS = 256
"""Results wait in memory, some ten kilobytes each."""
_GATHER_EVERY = 64
"""Commits after which their files are put together: each one reads what all before it have logged, so that without it
time grows with the square of their number, and memory by 300 KB for each."""


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


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run did."""

    stages: Sequence[StageReport]
    not_configured: Mapping[str, str]
    """What must be configured, by the stages that were passed over."""
    stopped: str = ""
    """Why the run ended before its last stage; empty where it did not."""


def run_steps(
    steps: Sequence[Step],
    dataset: Dataset,
    executor: Executor,
    run_id: str,
    *,
    retry_errors: bool = False,
    progress: Callable[[str, int], Progress] = Progress,
) -> RunReport:
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
    wanted, stopped = _until_missing(steps)
    reports, is_checked = [], False
    with _storage_trouble(dataset.root):
        try:
            for step in wanted:
                plan = plan_step(step, steps, dataset.manifest, retry_errors=retry_errors)
                if isinstance(step, TableStep):
                    reports.append(_run_tables(step, plan, dataset, run_id, progress))
                    continue
                if plan.num_units and not is_checked:
                    # All at the first need: no cluster is started for nothing, nor half the work done in vain.
                    executor.check([step.stage for step in wanted if isinstance(step, InputStep)])
                    is_checked = True
                reports.append(_run_inputs(step, plan, dataset, executor, run_id, progress))
                if step.settle is not None:
                    step.settle(dataset.manifest)
        finally:
            dataset.manifest.tidy()
    return RunReport(reports, {step.name: step.missing for step in steps if step.missing}, stopped)


def _until_missing(steps: Sequence[Step]) -> tuple[list[Step], str]:
    """The configured steps before the first that builds on one which is not; and why the run ends there."""
    wanted: list[Step] = []
    for step in steps:
        if step.missing:
            continue
        lacking = [other for other in upstream(step, steps) if other.missing]
        if lacking:
            reasons = " and ".join(f"{other.name} ({other.missing})" for other in lacking)
            return wanted, f"{step.name} was not done: it reads what is not configured: {reasons}"
        wanted.append(step)
    return wanted, ""


def _run_inputs(
    step: InputStep,
    plan: StagePlan,
    dataset: Dataset,
    executor: Executor,
    run_id: str,
    progress: Callable[[str, int], Progress],
) -> StageReport:
    assert plan.worklist is not None
    report = StageReport(step.name, started_at=_now())
    commits = _Commits(step, plan.worklist, dataset.manifest, run_id)
    shown = progress(step.name, len(plan.worklist))
    try:
        for result in executor.run(step.stage, plan.worklist):
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


def _run_tables(
    step: TableStep, plan: StagePlan, dataset: Dataset, run_id: str, progress: Callable[[str, int], Progress]
) -> StageReport:
    report = StageReport(step.name, started_at=_now())
    shown = progress(step.name, plan.num_units)
    if plan.num_units:
        assert plan.key is not None
        began = time.monotonic()
        step.compute(dataset)
        report.busy_s = time.monotonic() - began
        report.items = 1
        done = Result(WHOLE, busy_s=report.busy_s)
        rows = ledger_rows(step.name, [done], {WHOLE: plan.key}, run_id)
        dataset.manifest.replace("ledger", rows, [WHOLE], among=("stage", step.name))
        shown.add(done)
    shown.close()
    report.ended_at = _now()
    return report


class _Commits:
    """Gathers results and commits them in batches: rows of each table first, the ledger last."""

    def __init__(self, step: InputStep, worklist: Worklist, manifest: Manifest, run_id: str) -> None:
        self._stage, self._writes, self._own, self._worklist = step.name, step.writes, step.own, worklist
        self._manifest, self._run_id = manifest, run_id
        # Of inputs that were done before, and of a run that died between two commits.
        for table in step.writes if len(worklist) else ():
            owner = TABLES[table].owner
            where = pc.field(step.own[table][0]) == step.own[table][1] if table in step.own else None
            for rows in manifest.batches(table, [owner], where):
                worklist.note_leftovers(table, pc.unique(rows[owner]).to_pylist())
        self._waiting: list[Result] = []
        self._num_commits = 0
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
        ids = [result.input_id for result in self._waiting]
        for table in self._writes:
            rows = [row for result in self._waiting for row in result.rows.get(table, ())]
            had = self._worklist.leftovers(table, ids)
            self._put(table, to_table(table, rows), had, among=self._own.get(table))
        keys = {input_id: self._worklist.key(input_id) for input_id in ids}
        done = to_table("ledger", ledger_rows(self._stage, self._waiting, keys, self._run_id))
        # The plan has read the ledger: what is stale has a row there, and nothing else has.
        self._put("ledger", done, [input_id for input_id in ids if keys[input_id].is_stale], ("stage", self._stage))
        self._waiting = []
        self._num_commits += 1
        if self._num_commits % _GATHER_EVERY == 0:
            self._manifest.gather([*self._writes, "ledger"])

    def _put(self, table: str, rows: pa.Table, had: Sequence[str], among: tuple[str, str] | None) -> None:
        """Replace the rows of inputs that had some; append those of the others, which reads no old file."""
        if had:
            of_old = pc.is_in(rows[TABLES[table].owner], pa.array(had, pa.string()))
            self._manifest.replace(table, rows.filter(of_old), sorted(had), among=among)
            rows = rows.filter(pc.invert(of_old))
        self._manifest.append(table, rows)


@contextmanager
def _storage_trouble(root: str) -> Iterator[None]:
    """Turn a full disk, a lost right or an unreachable store under the dataset into one sentence."""
    try:
        yield
    except (OSError, DeltaError) as error:
        # What Rust met on the way to the disk comes as a DeltaError with the system's words in it; another is ours.
        if isinstance(error, DeltaError) and "os error" not in str(error):
            raise
        raise ConfigError(f"{root}: cannot be written: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    text = str(error)
    if "No space left" in text:
        return "no space left on the device"
    return getattr(error, "strerror", None) or text.splitlines()[0][:200]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
