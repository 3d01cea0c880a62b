from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.scan.sampling import Grid

rates = st.fractions(min_value=Fraction(1, 10), max_value=Fraction(20))
bases = st.sampled_from([Fraction(1, 24), Fraction(1, 90_000), Fraction(1001, 30_000), Fraction(1, 10**9)])


@given(bases, rates, st.lists(st.integers(-(2**60), 2**60), min_size=2, max_size=30, unique=True))
def test_every_span_as_long_as_the_grids_step_has_a_frame_that_shows_a_point(base, rate, times):
    times.sort()
    grid = Grid(base, rate)
    shows = [grid.cell(a) != grid.cell(b) for a, b in pairwise(times)]
    for start in range(len(times)):
        for end in range(start + 1, len(times)):
            if (times[end] - times[start]) * base >= 1 / rate:
                assert any(shows[start:end])


@given(bases, rates, st.integers(-(2**60), 2**60), st.integers(0, 2**40))
def test_time_never_goes_back_to_an_earlier_cell(base, rate, time, step):
    grid = Grid(base, rate)
    assert grid.cell(time) <= grid.cell(time + step)
