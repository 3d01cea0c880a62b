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
    is_mean: bool = False
    """Whether it is of the mean over the videos and not of the middle one: few values are possible."""

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
    "shots: subject right": Target(at_least=0.85, is_mean=True),
    "shots: subject the same": Target(at_least=0.85, is_mean=True),
    "long: colour drift": Target(at_most=0.1),
}
"""Each measure; ratios are of a seam's change to the middle change around it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A measure of one video."""

    measure: str
    case: str
    value: float
    ceiling: float | None = None
    """The same of rendered footage, where that is not given or perfect."""


def summary(found: Sequence[Measured]) -> list[dict[str, Any]]:
    """For each measure its middle value or mean, that of footage, its target, and the share of videos that reach it."""
    lines = []
    for measure, target in TARGETS.items():
        values = [one.value for one in found if one.measure == measure]
        ceilings = [one.ceiling for one in found if one.measure == measure and one.ceiling is not None]
        if values:
            over = np.mean if target.is_mean else np.median
            lines.append(
                {
                    "measure": measure,
                    "middle": float(over(values)),
                    "ceiling": float(over(ceilings)) if ceilings else None,
                    "target": str(target),
                    "reached": sum(map(target.is_reached, values)) / len(values),
                    "num": len(values),
                }
            )
    return lines


def render_summary(lines: Sequence[dict[str, Any]]) -> str:
    """The lines as text."""
    table = [("", "middle", "ceiling", "target", "reached by", "n")]
    table += [
        (
            line["measure"],
            f"{line['middle']:.3g}",
            "-" if line["ceiling"] is None else f"{line['ceiling']:.3g}",
            line["target"],
            f"{line['reached']:.0%}",
            str(line["num"]),
        )
        for line in lines
    ]
    return aligned(table)
