from __future__ import annotations

import numpy as np
import pytest

from infra.demo.paths import bounce, fall
from infra.evaluate.events import comes_first, drop_and_rebound, is_pushed, start_s, vertical_event
from infra.evaluate.motion import direction

TIMES = np.arange(15) / 7.5


def way(x: list[float] | np.ndarray, y: list[float] | np.ndarray) -> np.ndarray:
    return np.stack([np.broadcast_to(x, 15), np.broadcast_to(y, 15)], axis=1).astype(float)


def heights(path: object) -> np.ndarray:
    return np.array([path.at(float(t))[1] for t in TIMES]) / 4


def test_the_worlds_own_falls_and_bounces_are_told_apart() -> None:
    falling = heights(fall((0, -1.2, 6), 0.3, 2.0, bounciness=0.35, wait_s=0.36))
    assert vertical_event(way(0, falling)) == "fall"
    assert vertical_event(way(0, heights(bounce((0, -0.8, 6), 0.3, 2.0)))) == "bounce"
    assert vertical_event(way(0, np.zeros(15))) == ""
    assert vertical_event(way(np.linspace(0, 2, 15), falling)) == ""


def test_drop_and_rebound_are_of_the_lowest_point() -> None:
    assert drop_and_rebound(way(0, [0, 0.5, 1, 0.8, 0.6, *[0.6] * 10])) == pytest.approx((1, 0.4))


def test_what_moves_first_is_found_and_what_does_not_move_has_no_start() -> None:
    early = way(np.clip(np.linspace(-0.2, 0.6, 15), 0, 0.4), 0)
    late = way(np.clip(np.linspace(-0.6, 0.4, 15), 0, 0.4), 0)
    assert start_s(way(0, 0), TIMES) is None
    assert comes_first((early, TIMES), (late, TIMES)) is True
    assert comes_first((late, TIMES), (early, TIMES)) is False
    assert comes_first((late, TIMES), (way(0, 0), TIMES)) is None


def test_a_push_goes_on_in_the_direction_of_what_came() -> None:
    right, left = way(np.linspace(0, 0.4, 15), 0), way(np.linspace(0.4, 0, 15), 0)
    assert is_pushed(right, right)
    assert not is_pushed(right, left)
    assert not is_pushed(right, way(0, 0))


@pytest.mark.parametrize(
    ("dx", "dy", "name"),
    [(0.3, 0, "right"), (-0.2, -0.2, "up left"), (0, 0.2, "down"), (0.02, 0, "still"), (0.2, 0.15, "down right")],
)
def test_a_way_is_named_by_the_nearest_direction(dx: float, dy: float, name: str) -> None:
    assert direction(way(np.linspace(0, dx, 15), np.linspace(0, dy, 15)), TIMES) == name
