from __future__ import annotations

from fractions import Fraction

import pytest

from schemas import Span


def test_a_span_tells_its_seconds_from_its_ticks() -> None:
    span = Span(90_000, 225_000, Fraction(1, 90_000))
    assert (span.start_s, span.end_s, span.duration_s, span.ticks) == (1.0, 2.5, 1.5, 135_000)


@pytest.mark.parametrize(("start", "end"), [pytest.param(5, 5, id="empty"), pytest.param(5, 4, id="backwards")])
def test_a_span_must_run_forward(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        Span(start, end, Fraction(1, 25))


def test_a_time_base_must_be_positive() -> None:
    with pytest.raises(ValueError, match="time base is positive"):
        Span(0, 1, Fraction(0))
