from __future__ import annotations

import pytest

from infra.bench.table import Figure, render


@pytest.mark.parametrize(
    ("figure", "reached"),
    [
        pytest.param(Figure(name="speed", value=0.75, at_least=0.75), True, id="exactly at least"),
        pytest.param(Figure(name="speed", value=0.74, at_least=0.75), False, id="under at least"),
        pytest.param(Figure(name="memory", value=1537, at_most=1536), False, id="over at most"),
        pytest.param(Figure(name="growth", value=-2, at_most=0), True, id="less than at most"),
        pytest.param(Figure(name="split", value=None, at_least=8), False, id="a promise that could not be measured"),
        pytest.param(Figure(name="frames", value=15429), None, id="no promise"),
    ],
)
def test_a_promise_is_kept_at_its_bound_and_a_figure_without_one_is_only_told(
    figure: Figure, reached: bool | None
) -> None:
    assert figure.reached is reached


def test_the_table_shows_target_value_and_verdict_in_columns() -> None:
    text = render([Figure(name="scan / decoding", value=0.7, at_least=0.75), Figure(name="f", value=3, unit="s")])
    assert [line.split("  ")[0] for line in text.splitlines()] == ["figure", "scan / decoding", "f"]
    assert text.splitlines()[1].endswith("MISSED")
    assert ">= 0.75" in text
