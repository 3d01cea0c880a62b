"""The graph of a run: steps, the tables between them, and the checks made before anything starts."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pipeline.ledger import UnitParts
from pipeline.manifest import Manifest
from schemas import TABLES, ConfigError, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A stage in its place: where its inputs come from and what their rows depend on."""

    stage: Stage[Any]
    inputs: Callable[[Manifest], Iterable[Any]]
    """Every input the stage has, done or not, from the tables as they are."""
    parts: Callable[[Any], UnitParts]
    """What the rows of one input depend on."""
    settle: Callable[[Manifest], None] | None = None
    """Brings rows in order that no single input can decide, once all inputs are done."""
    models: Mapping[str, str] = field(default_factory=dict)
    """Digests of the models it uses, by name."""


def order(steps: Sequence[Step]) -> list[Step]:
    """The steps so that each comes after those that fill the tables it reads.

    Steps that do not depend on each other keep the order in which they were given.

    Raises:
        ConfigError: Two steps have one name, a step reads a table or a column that nothing provides, or the
            steps depend on each other in a circle.
    """
    by_name = {step.stage.name: step for step in steps}
    if len(by_name) < len(steps):
        raise ConfigError(f"a stage is named twice in {[step.stage.name for step in steps]}")
    for step in steps:
        _check_columns(step.stage)
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for step in steps:
        sorter.add(step.stage.name, *_upstream(step, steps))
    try:
        sorter.prepare()
    except CycleError as error:
        raise ConfigError(f"stages depend on each other in a circle: {' -> '.join(error.args[1])}") from error
    ordered: list[Step] = []
    place = {step.stage.name: index for index, step in enumerate(steps)}
    while sorter.is_active():
        for name in sorted(sorter.get_ready(), key=place.__getitem__):
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
    names = [step.stage.name for step in steps]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
        raise ConfigError(f"--until: there is no stage {name!r}; {hint}")
    return list(steps[: names.index(name) + 1])


def _upstream(step: Step, steps: Sequence[Step]) -> list[str]:
    return [
        other.stage.name for other in steps if other is not step and set(step.stage.reads) & set(other.stage.writes)
    ]


def _check_columns(stage: Stage[Any]) -> None:
    for table in (*stage.reads, *stage.writes):
        if table not in TABLES:
            raise ConfigError(f"stage {stage.name}: there is no table {table!r}")
    for table, columns in stage.reads.items():
        if missing := [name for name in columns if name not in TABLES[table].schema.names]:
            raise ConfigError(f"stage {stage.name}: table {table} has no column {', '.join(missing)}")
