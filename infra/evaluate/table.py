"""The table of `rushes evaluate`: score, ceiling, floor, chance, number, interval."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from infra.evaluate.judging import CEILING, FLOOR, MADE, Row
from infra.evaluate.verdicts import ASPECTS, CHANCE

_Z = 1.96
MAIN = ("color", "shape", "motion", "framed")
"""Aspects that are also told by aspect ratio, length and kind of size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the table."""

    name: str
    score: float | None
    """Of the model's videos; None where there are none."""
    low: float | None
    high: float | None
    """The 95 % interval of the score."""
    num: int
    """Videos that were judged: the model's, or rendered ones where there are none of the model's."""
    ceiling: float | None
    floor: float | None
    chance: float | None

    def to_json(self) -> dict[str, Any]:
        """Every field."""
        return asdict(self)


def interval(score: float, num: int) -> tuple[float, float]:
    """The 95 % interval of a mean of values between 0 and 1.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    if num == 0:
        return 0.0, 1.0
    centre = (score + _Z**2 / (2 * num)) / (1 + _Z**2 / num)
    half = _Z / (1 + _Z**2 / num) * math.sqrt(max(score * (1 - score), 0.0) / num + _Z**2 / (4 * num**2))
    return max(centre - half, 0.0), min(centre + half, 1.0)


def lines_of(rows: Sequence[Row], aspects: Iterable[str] = tuple(ASPECTS)) -> list[Line]:
    """The lines of aspects, in order; those without a verdict are left out."""
    found = [_line(aspect, [row for row in rows if row.aspect == aspect], CHANCE.get(aspect)) for aspect in aspects]
    return [line for line in found if line is not None]


def breakdown(rows: Sequence[Row]) -> list[Line]:
    """The main aspects by aspect ratio, by length and by what the model knows of the size."""
    ways: tuple[Callable[[Row], str], ...] = (
        lambda row: row.ratio,
        lambda row: f"{row.num_frames} frames",
        lambda row: f"{row.group} sizes" if row.group else "",
    )
    found = []
    for aspect in MAIN:
        of_aspect = [row for row in rows if row.aspect == aspect]
        for way in ways:
            groups: dict[str, list[Row]] = defaultdict(list)
            for row in of_aspect:
                groups[way(row)].append(row)
            names = sorted(groups, key=lambda name: (len(name.split()[0]) if "frames" in name else 0, name))
            found += [_line(f"{aspect}, {name}", groups[name], CHANCE.get(aspect)) for name in names if name]
    return [line for line in found if line is not None]


def _line(name: str, rows: Sequence[Row], chance: float | None) -> Line | None:
    scores: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        scores[row.source].append(row.score)
    made, rendered = scores[MADE], scores[CEILING]
    if not made and not rendered:
        return None
    score = _mean(made)
    low, high = interval(score, len(made)) if score is not None else (None, None)
    return Line(
        name=name,
        score=score,
        low=low,
        high=high,
        num=len(made) or len(rendered),
        ceiling=_mean(rendered),
        floor=_mean(scores[FLOOR]),
        chance=chance,
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def render(lines: Sequence[Line]) -> str:
    """The lines as text."""
    table: list[Sequence[str]] = [("", "score", "95 %", "ceiling", "floor", "chance", "n")]
    for line in lines:
        span = f"{line.low:.2f} to {line.high:.2f}" if line.low is not None and line.high is not None else "-"
        numbers = [_shown(value) for value in (line.score, line.ceiling, line.floor, line.chance)]
        table.append((line.name, numbers[0], span, *numbers[1:], str(line.num)))
    return aligned(table)


def aligned(table: Sequence[Sequence[str]]) -> str:
    """Rows of cells as text: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = []
    for row in table:
        cells = [cell.rjust(width + 1) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append(" ".join([row[0].ljust(widths[0]), *cells]))
    return "\n".join(lines)


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
