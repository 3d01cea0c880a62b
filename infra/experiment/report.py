"""What an experiment leaves: a table for people, the numbers behind it, a plot."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from infra.experiment.commands import Judged
from schemas import ConfigError


@dataclass(slots=True)
class Result:
    """What an experiment found."""

    name: str
    table: Sequence[Sequence[str]]
    """The first row holds the columns' names."""
    models: Mapping[str, Sequence[Judged]]
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Every model's numbers."""
        models = {name: [asdict(model) for model in judged] for name, judged in self.models.items()}
        return {"experiment": self.name, "models": models, "notes": self.notes}

    def to_markdown(self) -> str:
        """The table and the notes."""
        head, *rows = ("| " + " | ".join(row) + " |" for row in self.table)
        rule = "|" + " --- |" * len(self.table[0])
        return "\n".join([head, rule, *rows, *(f"\n{note}" for note in self.notes)]) + "\n"


def write(out: Path, result: Result, plot: bytes) -> None:
    """Write NAME.json, NAME.md and NAME.svg.

    Raises:
        ConfigError: They cannot be written.
    """
    try:
        (out / f"{result.name}.json").write_text(json.dumps(result.to_json(), indent=1) + "\n", encoding="utf-8")
        (out / f"{result.name}.md").write_text(result.to_markdown(), encoding="utf-8")
        (out / f"{result.name}.svg").write_bytes(plot)
    except OSError as error:
        raise ConfigError(f"out: {out} cannot be written: {error.strerror or error}") from error
