"""The graph of a run: steps, the tables between them, and the checks made before anything starts."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeAlias

from pipeline.dataset import Dataset
from pipeline.ledger import UnitParts
from pipeline.manifest import Manifest
from schemas import TABLES, ConfigError, Stage

Columns: TypeAlias = Mapping[str, tuple[str, ...]]
"""Columns by table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputStep:
    """A stage in its place: it does each of its inputs by itself, on workers."""

    stage: Stage[Any]
    inputs: Callable[[Manifest], Iterable[Any]]
    """Every input the stage has, done or not, from the tables as they are."""
    parts: Callable[[Any], UnitParts]
    """What the rows of one input depend on."""
    settle: Callable[[Manifest], None] | None = None
    """Brings rows in order that no single input can decide, once all inputs are done."""
    models: Mapping[str, str] = field(default_factory=dict)
    """Digests of the models it uses, by name."""
    own: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Of a table in which it has but some of the rows: a column, and its value in them."""
    missing: str = ""
    """What must be configured before it can run, as a sentence without its subject; empty where nothing is."""

    @property
    def name(self) -> str:
        """The stage's name."""
        return self.stage.name

    @property
    def reads(self) -> Columns:
        """Columns it needs, by table."""
        return self.stage.reads

    @property
    def writes(self) -> tuple[str, ...]:
        """Tables it fills."""
        return self.stage.writes


@dataclass(frozen=True, slots=True, kw_only=True)
class TableStep:
    """A barrier: it reads whole tables and writes whole tables, as one unit of work, in the driver."""

    name: str
    version: int
    """Raised by hand when the same tables give other rows than before."""
    reads: Columns
    """Columns it needs, by table."""
    writes: tuple[str, ...]
    """Tables it fills; each is replaced whole."""
    compute: Callable[[Dataset], None]
    """Does it. Each table that it writes is replaced in one commit."""
    config: str
    """Digest of the config values that can change what comes out."""
    models: Mapping[str, str] = field(default_factory=dict)
    """Digests of the models it uses, by name."""
    cost_s: Callable[[Manifest], float] = lambda _: 0.0
    """Roughly how long it takes with the tables as they are, in seconds."""
    missing: str = ""
    """What must be configured before it can run, as a sentence without its subject; empty where nothing is."""


Step: TypeAlias = InputStep | TableStep


def order(steps: Sequence[Step]) -> list[Step]:
    """The steps so that each comes after those that fill the tables it reads.

    Steps that do not depend on each other keep the order in which they were given.

    Raises:
        ConfigError: Two steps have one name, a step reads a table or a column that nothing provides, or the
            steps depend on each other in a circle.
    """
    by_name = {step.name: step for step in steps}
    if len(by_name) < len(steps):
        raise ConfigError(f"a stage is named twice in {[step.name for step in steps]}")
    for step in steps:
        _check_columns(step)
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for step in steps:
        sorter.add(step.name, *(other.name for other in upstream(step, steps)))
    try:
        sorter.prepare()
    except CycleError as error:
        raise ConfigError(f"stages depend on each other in a circle: {' -> '.join(error.args[1])}") from error
    ordered: list[Step] = []
    place = {step.name: index for index, step in enumerate(steps)}
    ready: list[str] = []
    while sorter.is_active():
        ready += sorter.get_ready()
        ready.sort(key=place.__getitem__)
        name = ready.pop(0)
        ordered.append(by_name[name])
        sorter.done(name)
    return ordered


def until(steps: Sequence[Step], name: str | None) -> list[Step]:
    """The ordered steps up to and with the named one; all without a name.

    Raises:
        ConfigError: There is no such step.
    """
    if name is None:
        return list(steps)
    names = [step.name for step in steps]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
        raise ConfigError(f"--until: there is no stage {name!r}; {hint}")
    return list(steps[: names.index(name) + 1])


def upstream(step: Step, steps: Sequence[Step]) -> list[Step]:
    """Which of the steps fill tables that this one reads; of those that have but some of its rows, the earlier ones."""
    place = {other.name: index for index, other in enumerate(steps)}

    def fills(other: Step) -> bool:
        partly = other.own.keys() if isinstance(other, InputStep) else set()
        read = set(step.reads) & set(other.writes)
        return bool(read - partly) or (bool(read) and place[other.name] < place[step.name])

    return [other for other in steps if other is not step and fills(other)]


def _check_columns(step: Step) -> None:
    for table in (*step.reads, *step.writes):
        if table not in TABLES:
            raise ConfigError(f"stage {step.name}: there is no table {table!r}")
    for table, columns in step.reads.items():
        if missing := [name for name in columns if name not in TABLES[table].schema.names]:
            raise ConfigError(f"stage {step.name}: table {table} has no column {', '.join(missing)}")
