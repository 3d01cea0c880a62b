from __future__ import annotations

import math

import numpy as np
import pytest

from trainer.config import GuardConfig
from trainer.guard import Guard

CONFIG = GuardConfig(known_steps=50, max_norm=7.0, sigmas=3, decay=0.99)


def learnt(norms: list[float]) -> Guard:
    guard = Guard()
    for norm in norms:
        guard = guard.after(norm, CONFIG)
    return guard


def test_a_fixed_limit_holds_until_enough_is_known() -> None:
    guard = learnt([1.0] * 49)
    assert guard.limit(CONFIG) == 7.0
    assert not guard.is_over(100.0, CONFIG)


def test_then_the_limit_is_three_standard_deviations_above_the_mean() -> None:
    norms = np.random.default_rng(0).normal(5.0, 0.5, 2000).tolist()
    guard = learnt(norms)
    assert guard.limit(CONFIG) == pytest.approx(6.5, abs=0.4)
    assert sum(guard.is_over(norm, CONFIG) for norm in norms) / 2000 < 0.02


def test_a_norm_over_the_limit_does_not_move_it() -> None:
    guard = learnt([1.0, 1.2] * 50)
    assert guard.is_over(3.0, CONFIG)
    assert guard.after(3.0, CONFIG) == guard
    assert guard.after(1.1, CONFIG) != guard


def test_what_is_not_finite_is_over_any_limit() -> None:
    assert Guard().is_over(math.nan, CONFIG)
    assert Guard().is_over(math.inf, CONFIG)
    assert Guard().after(math.inf, CONFIG) == Guard()


def test_a_guard_comes_back_from_json() -> None:
    guard = learnt([1.0, 2.0, 3.0])
    assert Guard(**guard.to_json()) == guard  # type: ignore[arg-type]
