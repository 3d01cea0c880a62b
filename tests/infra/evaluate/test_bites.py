"""Bites in rendered footage: taken for good, healed, moved, and never taken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infra.demo.render import render_shot
from infra.demo.staged import stage
from infra.evaluate.bites import bite
from infra.evaluate.objects import follow, working

NUM, RATE = 9, 5.0


def footage(seed: int, *, at_s: float | None = None, turned: bool = False) -> np.ndarray:
    scene, _ = stage("bite", seed, NUM / RATE, 4 / 3)
    thing = scene.things[0]
    assert thing.bite is not None
    own = replace(thing.bite, at_s=thing.bite.at_s if at_s is None else at_s)
    if turned:
        own = replace(own, x=-own.x)
    scene = replace(scene, things=(replace(thing, bite=own),))
    return np.stack(list(render_shot(scene, (128, 96), [k / RATE for k in range(NUM)])))


def seen(frames: np.ndarray) -> tuple[float, float]:
    pictures = working(frames)
    return bite(follow(pictures)[0], pictures)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_bite_is_seen_and_stays(seed: int) -> None:
    taken, kept = seen(footage(seed))
    assert 0.08 < taken < 0.4
    assert kept > 0.8


def test_a_bite_that_heals_is_taken_and_does_not_stay() -> None:
    frames = footage(1)
    healed = np.concatenate([frames[:-2], frames[:2]])
    taken, kept = seen(healed)
    assert taken > 0.08
    assert kept < 0.3


def test_a_bite_that_goes_to_another_place_does_not_stay() -> None:
    frames, turned = footage(1, at_s=0.5), footage(1, at_s=0.5, turned=True)
    taken, kept = seen(np.concatenate([frames[:-3], turned[-3:]]))
    assert taken > 0.08
    assert kept < 0.3


@pytest.mark.parametrize("at_s", [pytest.param(99.0, id="never"), pytest.param(-1.0, id="before the first frame")])
def test_where_nothing_changes_nothing_is_bitten(at_s: float) -> None:
    assert seen(footage(8, at_s=at_s))[0] < 0.03


def test_a_bite_in_what_is_gone_afterwards_does_not_stay() -> None:
    frames = footage(1, at_s=0.5)
    frames[-3:] = np.random.default_rng(0).integers(60, 120, frames[-3:].shape, np.uint8)
    assert seen(frames)[1] == 0
