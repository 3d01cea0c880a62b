from __future__ import annotations

import math

import pytest

from infra.experiment.means import fit_power_law, mean_of


def test_the_error_is_that_of_the_mean() -> None:
    mean = mean_of([1.0, 2.0, 3.0])
    assert mean.value == 2
    assert mean.error == pytest.approx(1 / math.sqrt(3))
    assert str(mean) == "2.000 ± 0.577"


def test_one_value_has_no_error() -> None:
    assert math.isnan(mean_of([0.5]).error)
    assert str(mean_of([0.5])) == "0.500"


def test_a_power_law_is_found_again() -> None:
    law = fit_power_law([1, 4, 16], [3 * x**-0.25 for x in (1, 4, 16)])
    assert (law.scale, law.exponent) == pytest.approx((3, -0.25))
    assert law.error == pytest.approx(0, abs=1e-9)
    assert law.at(64) == pytest.approx(3 * 64**-0.25)


def test_two_points_leave_no_error_to_tell() -> None:
    assert math.isnan(fit_power_law([1, 4], [1.0, 0.5]).error)


def test_points_off_the_line_give_the_exponent_an_error() -> None:
    law = fit_power_law([1, 1, 4, 4, 16, 16], [1.0, 1.1, 0.6, 0.66, 0.38, 0.4])
    assert law.exponent == pytest.approx(-0.36, abs=0.02)
    assert 0.01 < law.error < 0.05
