"""What a run would do, step by step, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.dag import InputStep, Step, TableStep, upstream
from pipeline.ledger import Ledger, State, UnitParts, digest_of_stages
from pipeline.manifest import Manifest
from pipeline.worklist import Key, Worklist
from schemas import digest

WHOLE = "*"
"""What the ledger calls the one input of a step over whole tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """What one step would do."""

    stage: str
    num_done: int = 0
    num_todo: int = 0
    """Units never done."""
    stale: Mapping[str, int] = field(default_factory=dict)
    """Units done before and to be done again, counted by the reason."""
    cost_s: float = 0.0
    """Roughly how long one core would be occupied, in seconds."""
    missing: str = ""
    """What must be configured before it can run; empty where nothing is."""
    worklist: Worklist | None = None
    """The inputs that are to be done; None for a step over whole tables."""
    key: Key | None = None
    """What the ledger records of a step over whole tables."""

    @property
    def num_units(self) -> int:
        """Units to do or to do again."""
        return self.num_todo + sum(self.stale.values())


def plan_step(step: Step, steps: Sequence[Step], manifest: Manifest, *, retry_errors: bool = False) -> StagePlan:
    """What a step would do with the tables as they are. Changes nothing.

    Args:
        step: Which one.
        steps: All steps of the run, among which are those that it builds on.
        manifest: The dataset's tables.
        retry_errors: Whether errors of a lasting kind are tried again too.
    """
    if step.missing:
        return StagePlan(stage=step.name, missing=step.missing)
    if isinstance(step, TableStep):
        return _plan_tables(step, steps, manifest)
    return _plan_inputs(step, manifest, retry_errors=retry_errors)


def _plan_inputs(step: InputStep, manifest: Manifest, *, retry_errors: bool) -> StagePlan:
    ledger = Ledger(manifest, step.name, retry_errors=retry_errors)
    worklist, stale = Worklist(), Counter[str]()
    num_done, cost_s = 0, 0.0
    for item in step.inputs(manifest):
        unit = ledger.judge(item, step.parts(item))
        if unit.state is State.done:
            num_done += 1
            continue
        is_stale = unit.state is State.stale
        worklist.add(item, unit.parts.key(is_stale=is_stale))
        cost_s += float(item.cost_s)
        if is_stale:
            stale[unit.why] += 1
    return StagePlan(
        stage=step.name,
        num_done=num_done,
        num_todo=len(worklist) - stale.total(),
        stale=stale,
        cost_s=cost_s,
        worklist=worklist,
    )


@dataclass(frozen=True, slots=True)
class _Whole:
    """The one input of a step over whole tables."""

    input_id: str = WHOLE
    cost_s: float = 0.0

    def to_row(self) -> Mapping[str, object]:
        return {"input_id": self.input_id}


def _plan_tables(step: TableStep, steps: Sequence[Step], manifest: Manifest) -> StagePlan:
    before = sorted(other.name for other in upstream(step, steps))
    parts = UnitParts(
        stage=step.name,
        version=step.version,
        config=step.config,
        models=digest(dict(step.models)),
        upstream=digest_of_stages(manifest, before),
    )
    unit = Ledger(manifest, step.name).judge(_Whole(), parts)
    is_stale = unit.state is State.stale
    return StagePlan(
        stage=step.name,
        num_done=int(unit.state is State.done),
        num_todo=int(unit.state is State.todo),
        stale={unit.why: 1} if is_stale else {},
        cost_s=0.0 if unit.state is State.done else step.cost_s(manifest),
        key=parts.key(is_stale=is_stale),
    )
