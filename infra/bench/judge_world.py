"""How good the judge of generated videos is: rendered footage with its own prompts, with wrong ones, and cut in two."""

from __future__ import annotations

import sys
import time

from infra.bench.table import Figure
from infra.evaluate.config import EvaluateConfig
from infra.evaluate.films import draw_films
from infra.evaluate.judging import ceiling_and_floor
from infra.evaluate.table import Line, breakdown, lines_of, render
from infra.evaluate.verdicts import CONSISTENCY
from trainer.sampling import SamplingConfig

NUM_FILMS = 144
SEED = 77_001
"""Of films on which no threshold was chosen."""
RATE = 7.5
LEAST = {"color": 0.95, "shape": 0.95, "motion": 0.95, "framed": 0.95}
MOST_FLOOR = {"color": 0.3, "shape": 0.3, "motion": 0.2}
"""Of wrong prompts: one of several things may fit by chance."""
REPORT_S = 30.0


def measure(num_films: int = NUM_FILMS, seed: int = SEED, workers: int = 2) -> list[Figure]:
    """The figures for `python -m infra.bench`.

    Args:
        num_films: Over all sizes and lengths.
        seed: Of the films.
        workers: Processes.
    """
    config = EvaluateConfig(
        sampling=SamplingConfig(model="none: footage is rendered", frame_rate=RATE), num_prompts=num_films, seed=seed
    )
    rows = ceiling_and_floor(draw_films(config), 8, workers, _Says())
    lines = lines_of(rows)
    print(render([*lines, *breakdown(rows)]), file=sys.stderr)
    return [figure for line in lines for figure in _figures(line)]


def _figures(line: Line) -> list[Figure]:
    chance = f"; chance {line.chance:.2f}" if line.chance is not None else ""
    note = f"{line.num} videos{chance}"
    wrong = "footage cut in two" if line.name in CONSISTENCY else "wrong prompts"
    found = [Figure(name=f"judge, {line.name}: footage", value=line.ceiling, at_least=LEAST.get(line.name), note=note)]
    if line.floor is not None:
        found.append(Figure(name=f"judge, {line.name}: {wrong}", value=line.floor, at_most=MOST_FLOOR.get(line.name)))
    return found


class _Says:
    """Says every now and then how far it is."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def __call__(self, text: str) -> None:
        if time.monotonic() - self._said >= REPORT_S:
            self._said = time.monotonic()
            print(text, file=sys.stderr, flush=True)
