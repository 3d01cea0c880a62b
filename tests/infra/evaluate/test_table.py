from __future__ import annotations

import pytest

from infra.evaluate.judging import CEILING, FLOOR, MADE, Row
from infra.evaluate.table import breakdown, interval, lines_of, render


def row(source: str, score: float, film: str = "0000", aspect: str = "color", **changes: object) -> Row:
    values: dict[str, object] = {"group": "trained", "width": 64, "height": 36, "ratio": "16:9", "num_frames": 9}
    values |= {"prompt": "", "asked": "", "seen": "", **changes}
    return Row(source=source, film=film, aspect=aspect, score=score, **values)


def test_the_interval_is_wilsons() -> None:
    # statsmodels.stats.proportion.proportion_confint(8, 10, method="wilson"), rounded
    assert interval(0.8, 10) == pytest.approx((0.4902, 0.9433), abs=2e-4)
    assert interval(1.0, 200)[1] == 1
    assert interval(0.0, 0) == (0, 1)


def test_a_line_has_score_ceiling_and_floor_of_its_own_rows() -> None:
    rows = [row(MADE, 1), row(MADE, 0), row(CEILING, 1), row(FLOOR, 0.25), row(FLOOR, 0), row(MADE, 1, aspect="shape")]
    color, shape = lines_of(rows)
    assert (color.name, color.score, color.ceiling, color.floor, color.chance, color.num) == (
        "color",
        0.5,
        1,
        0.125,
        0.1,
        2,
    )
    assert (shape.name, shape.score, shape.ceiling) == ("shape", 1, None)


def test_the_main_aspects_are_told_by_ratio_length_and_size() -> None:
    rows = [row(MADE, 1), row(MADE, 0, ratio="1:1", num_frames=21, group="larger")]
    names = {line.name: line.score for line in breakdown(rows)}
    assert names == {
        "color, 16:9": 1,
        "color, 1:1": 0,
        "color, 9 frames": 1,
        "color, 21 frames": 0,
        "color, trained sizes": 1,
        "color, larger sizes": 0,
    }


def test_the_table_has_a_dash_where_there_is_no_number() -> None:
    text = render(lines_of([row(CEILING, 1)]))
    assert text.splitlines()[0].split() == ["score", "95", "%", "ceiling", "floor", "chance", "n"]
    assert text.splitlines()[1].split() == ["color", "-", "-", "1.000", "-", "0.100", "1"]
