"""One measured figure, and the table of all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure: what was promised, what was measured."""

    name: str
    value: float | None
    """None where it could not be measured; `note` then says why, and a promise counts as missed."""
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def target(self) -> str:
        """The promise in words; empty for a figure that is only told."""
        if self.at_least is not None:
            return f">= {_number(self.at_least)} {self.unit}".rstrip()
        if self.at_most is not None:
            return f"<= {_number(self.at_most)} {self.unit}".rstrip()
        return ""

    @property
    def reached(self) -> bool | None:
        """Whether the promise is kept; None where there is none."""
        if self.at_least is None and self.at_most is None:
            return None
        if self.value is None:
            return False
        above = self.at_least is None or self.value >= self.at_least
        return above and (self.at_most is None or self.value <= self.at_most)

    @property
    def measured(self) -> str:
        """The value with its unit."""
        return "not measured" if self.value is None else f"{_number(self.value)} {self.unit}".rstrip()

    def to_json(self) -> dict[str, Any]:
        """Every field, and the verdict."""
        return {**asdict(self), "target": self.target, "reached": self.reached}


def render(figures: Iterable[Figure]) -> str:
    """The table as text: figure, target, measured, verdict, note."""
    verdicts = {True: "reached", False: "MISSED", None: ""}
    rows = [("figure", "target", "measured", "", "")]
    rows += [(f.name, f.target, f.measured, verdicts[f.reached], f.note) for f in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = []
    for row in rows:
        cells = [text.ljust(width) for text, width in zip(row[:4], widths, strict=True)]
        lines.append("  ".join([*cells, row[4]]).rstrip())
    return "\n".join(lines)


def _number(value: float) -> str:
    if value == int(value) and abs(value) < 1e9:
        return str(int(value))
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3g}"
