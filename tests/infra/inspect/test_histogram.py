from __future__ import annotations

import math
from xml.etree import ElementTree

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.inspect.histogram import Distribution, draw, has_log_heights, measure


def spread(values: list[float | None]) -> Distribution:
    with duckdb.connect(":memory:") as db:
        db.register("t", pa.table({"v": pa.array(values, pa.float64())}))
        return measure(db, "v", "t")


def bars(shown: Distribution) -> list[ElementTree.Element]:
    return [item for item in ElementTree.fromstring(draw(shown, "v")).iter() if item.get("class") == "bar"]


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.none() | FINITE, max_size=60))
def test_every_value_is_in_one_bin_and_the_drawing_stays_inside(values: list[float | None]) -> None:
    shown = spread(values)
    known = sorted(value for value in values if value is not None)
    assert shown.num_null == len(values) - len(known)
    assert sum(shown.counts) + shown.num_zeros == shown.num_values == len(known)
    assert list(shown.edges) == sorted(shown.edges)
    if not known:
        assert "no values" in draw(shown, "v")
        return
    assert (shown.minimum, shown.maximum) == (known[0], known[-1])
    root = ElementTree.fromstring(draw(shown, "v"))
    _, _, width, height = map(float, root.get("viewBox", "").split())
    for item in root:
        for name, limit in (("x", width), ("x1", width), ("x2", width), ("y", height)):
            place = float(item.get(name, "0"))
            assert math.isfinite(place)
            assert -5 <= place <= limit + 5


def test_what_is_not_finite_is_left_out() -> None:
    shown = spread([1.0, math.nan, math.inf, -math.inf, 2.0])
    assert (shown.num_values, shown.minimum, shown.maximum) == (2, 1.0, 2.0)


def test_counts_agree_with_numpy() -> None:
    values = np.random.default_rng(0).uniform(-3, 5, 1000)
    shown = spread(list(values))
    assert not shown.is_log
    assert list(shown.counts) == np.histogram(values, bins=np.array(shown.edges))[0].tolist()
    assert shown.median == pytest.approx(np.median(values))


def test_heavily_skewed_values_get_a_logarithmic_axis_and_zeros_a_bar_of_their_own() -> None:
    rng = np.random.default_rng(0)
    shown = spread([*rng.lognormal(0, 2, 500), *[0.0] * 50])
    assert (shown.is_log, shown.num_zeros) == (True, 50)
    assert shown.edges[1] / shown.edges[0] == pytest.approx(shown.edges[-1] / shown.edges[-2])
    assert "exactly 0: 50 clips" in draw(shown, "v")


def test_evenly_spread_values_keep_a_linear_axis() -> None:
    assert not spread(list(np.linspace(0.001, 10, 500))).is_log


def test_whole_numbers_over_a_short_range_get_a_bin_each() -> None:
    shown = spread([0.0, 1.0, 1.0, 3.0])
    assert shown.counts == (1, 2, 0, 1)
    ticks = [item.text for item in ElementTree.fromstring(draw(shown, "v")) if item.get("class") == "tick"]
    assert ticks == ["0", "1", "2", "3"]


def test_one_value_for_all_is_one_bar() -> None:
    shown = spread([2.0] * 9)
    (bar,) = bars(shown)
    (median,) = [item for item in ElementTree.fromstring(draw(shown, "v")) if item.get("class") == "median"][:1]
    middle = float(bar.get("x", "0")) + float(bar.get("width", "0")) / 2
    assert middle == pytest.approx(float(median.get("x1", "0")), abs=1)


def test_one_tall_bar_does_not_hide_the_others() -> None:
    shown = spread([*[0.0] * 100_000, 1.0, 2.0, 3.0])
    assert has_log_heights(shown)
    assert min(float(bar.get("height", "0")) for bar in bars(shown)) > 1


def test_a_label_from_outside_is_text() -> None:
    assert "<script" not in draw(spread([1.0, 2.0]), '"><script>', '"><script>')


@pytest.fixture
def even() -> Distribution:
    return spread([float(k) for k in range(1001)])


def test_ranks_are_parts_of_the_values_below(even: Distribution) -> None:
    assert even.rank(500.0) == pytest.approx(0.5, abs=0.01)
    assert even.rank(-1.0) == 0.0
    assert even.rank(2000.0) == 1.0
    assert spread([0.0] * 99 + [1.0]).rank(0.0) == pytest.approx(0.5, abs=0.02)
