from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.media.timestamps import PtsRepair

SECOND = 1000
FRAME = 40

ticks = st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(-5000, 5000)


def repaired(told: list[int | None], dts: list[int | None] | None = None) -> tuple[list[int], int]:
    repair = PtsRepair(FRAME, SECOND)
    times = [repair(pts, dts[k] if dts else None, FRAME) for k, pts in enumerate(told)]
    return times, repair.num_repaired


@given(st.lists(st.tuples(ticks, ticks, ticks), max_size=60))
def test_times_strictly_increase_and_fit_64_bits_whatever_the_file_says(told: list[tuple]) -> None:
    repair = PtsRepair(FRAME, SECOND)
    times = [repair(*frame) for frame in told]
    assert all(a < b for a, b in pairwise(times))
    assert all(abs(time) < 2**63 for time in times)


@given(st.lists(st.integers(1, 100_000), max_size=60), st.integers(-(10**9), 10**9))
def test_good_times_are_kept_as_they_are(durations: list[int], start: int) -> None:
    told = [start]
    for duration in durations:
        told.append(told[-1] + duration)
    assert repaired(list(told)) == (told, 0)


@pytest.mark.parametrize(
    ("told", "expected", "num_repaired"),
    [
        pytest.param([None] * 4, [0, 40, 80, 120], 4, id="no times at all: one frame's duration each"),
        pytest.param([0, 40, 40, 120], [0, 40, 60, 120], 1, id="one that stands still is moved, the next kept"),
        pytest.param([0, 40, 40, 40, 120, 160], [0, 40, 60, 80, 120, 160], 2, id="several that stand still"),
        pytest.param([0, 80, 40, 120, 160], [0, 80, 100, 120, 160], 1, id="one that falls back a little"),
        pytest.param([4000, 4040, 0, 40, 80], [4000, 4040, 4080, 4120, 4160], 3, id="a clock that restarts goes on"),
        pytest.param([9000, 9040, 0, 9120, 9160], [9000, 9040, 9080, 9120, 9160], 1, id="a single false zero"),
        pytest.param([0, 40, 5000, 5040], [0, 40, 5000, 5040], 0, id="a gap is a gap"),
        pytest.param([-1000, -960, -920], [-1000, -960, -920], 0, id="before zero is a time like others"),
        pytest.param([0, 2**62, 80], [0, 40, 80], 1, id="absurdly large is missing"),
    ],
)
def test_faults_are_mended_and_counted(told: list[int | None], expected: list[int], num_repaired: int) -> None:
    assert repaired(told) == (expected, num_repaired)


def test_uneven_durations_survive_a_restart_of_the_clock() -> None:
    times, _ = repaired([5000, 5040, 0, 90, 100, 400])
    assert [b - a for a, b in pairwise(times[2:])] == [90, 10, 300]


def test_the_dts_stands_in_for_a_missing_pts_and_counts_as_repair() -> None:
    assert repaired([None, None, 300], [100, 200, 280]) == ([100, 200, 300], 2)


def test_times_that_run_late_are_followed_again_soon() -> None:
    told = [0, 40, 80, 60, *range(120, 2000, 40)]
    times, num_repaired = repaired(told)
    assert times[-1] == told[-1]
    assert num_repaired <= 2
