"""What the ways of sampling must reach, and how far they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from infra.evaluate.table import aligned


@dataclass(frozen=True, slots=True)
class Target:
    """What a measure must reach."""

    at_least: float | None = None
    at_most: float | None = None

    def is_reached(self, value: float) -> bool:
        """Whether a value reaches it."""
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def __str__(self) -> str:
        """As the table writes it."""
        return f">= {self.at_least:g}" if self.at_least is not None else f"<= {self.at_most:g}"


TARGETS = {
    "image: first frame, dB": Target(at_least=28),
    "forward: given part, dB": Target(at_least=28),
    "forward: seam": Target(at_most=1.5),
    "backward: given part, dB": Target(at_least=28),
    "backward: seam": Target(at_most=1.5),
    "backward: ends of all seeds, dB": Target(at_least=40),
    "connect: first seam": Target(at_most=1.5),
    "connect: second seam": Target(at_most=1.5),
    "loop: wrap": Target(at_most=1.5),
    "edit: path correlation": Target(at_least=0.8),
    "edit: colour has changed": Target(at_least=1),
    "long: colour drift": Target(at_most=0.1),
}
"""Each measure; ratios are of a seam's change to the middle change around it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A measure of one video."""

    measure: str
    case: str
    value: float


def summary(found: Sequence[Measured]) -> list[dict[str, Any]]:
    """For each measure its middle value, its target, and in what share of the videos it is reached."""
    lines = []
    for measure, target in TARGETS.items():
        values = [one.value for one in found if one.measure == measure]
        if values:
            reached = sum(map(target.is_reached, values)) / len(values)
            middle = float(np.median(values))
            lines.append(
                {"measure": measure, "middle": middle, "target": str(target), "reached": reached, "num": len(values)}
            )
    return lines


def render_summary(lines: Sequence[dict[str, Any]]) -> str:
    """The lines as text."""
    table = [("", "middle", "target", "reached by", "n")]
    table += [
        (line["measure"], f"{line['middle']:.3g}", line["target"], f"{line['reached']:.0%}", str(line["num"]))
        for line in lines
    ]
    return aligned(table)
