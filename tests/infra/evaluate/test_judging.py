"""The judge held against footage of which the truth is known: high with its own prompt, low with another."""

from __future__ import annotations

import pytest

from infra.evaluate.config import EvaluateConfig
from infra.evaluate.films import draw_films
from infra.evaluate.judging import CEILING, FLOOR, ceiling_and_floor
from infra.evaluate.table import Line, lines_of


@pytest.fixture(scope="module")
def lines() -> dict[str, Line]:
    config = EvaluateConfig.model_validate(
        {
            "sampling": {"model": "none", "frame_rate": 7.5},
            "num_prompts": 4,
            "sizes": {"trained": [[160, 120], [96, 144]], "between": [], "larger": []},
            "num_frames": [6],
            "seed": 404,
            "is_staged": False,
        }
    )
    said: list[str] = []
    rows = ceiling_and_floor(draw_films(config), 3, 1, said.append)
    assert said[-1] == "footage cut in two: 4 of 4 judged"
    assert {row.source for row in rows} == {CEILING, FLOOR}
    return {line.name: line for line in lines_of(rows)}


def test_footage_is_what_its_prompt_says(lines: dict[str, Line]) -> None:
    for aspect in ("color", "shape", "framed"):
        ceiling = lines[aspect].ceiling
        assert ceiling is not None
        assert ceiling >= 0.9, aspect


def test_with_another_prompt_it_is_not(lines: dict[str, Line]) -> None:
    for aspect in ("color", "shape"):
        floor = lines[aspect].floor
        assert floor is not None
        assert floor < 0.45, aspect


def test_footage_cut_in_two_is_not_steady(lines: dict[str, Line]) -> None:
    line = lines["steady color"]
    assert line.floor is not None
    assert line.ceiling is not None
    assert line.floor < 0.5 < line.ceiling
