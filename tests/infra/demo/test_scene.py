from __future__ import annotations

import itertools

import numpy as np
import pytest

from infra.demo.captions import caption
from infra.demo.draw import Wishes, draw_scene
from infra.demo.paths import FLOOR_Y
from infra.demo.scene import relation_at_start
from infra.demo.vocabulary import (
    CAMERAS,
    COLORS,
    DIRECTIONS,
    EVENTS,
    SHAPES,
    SIZES,
    SPEEDS,
    STILL,
    is_held_out,
)

SEEDS = range(40)


def test_the_vocabulary_is_as_wide_as_promised() -> None:
    assert (len(SHAPES), len(COLORS), len(SIZES), len(DIRECTIONS), len(SPEEDS)) >= (8, 10, 3, 8, 3)
    assert len(CAMERAS) == 15


def test_a_tenth_of_the_combinations_is_held_out_with_every_shape_and_colour_on_both_sides() -> None:
    combinations = list(itertools.product(SHAPES, COLORS, (*DIRECTIONS, STILL)))
    held_out = [combination for combination in combinations if is_held_out(*combination)]
    assert 0.08 < len(held_out) / len(combinations) < 0.12
    for place, words in enumerate((SHAPES, COLORS, (*DIRECTIONS, STILL))):
        assert {combination[place] for combination in held_out} == set(words)


def test_training_scenes_show_nothing_held_out_and_held_out_ones_always_do() -> None:
    for seed in SEEDS:
        assert not draw_scene(np.random.default_rng(seed), 3.0, wishes=Wishes(split="train")).held_out
        assert draw_scene(np.random.default_rng(seed), 3.0, wishes=Wishes(split="held_out")).things[0].held_out


def test_a_seed_gives_one_scene() -> None:
    assert draw_scene(np.random.default_rng(7), 3.0) == draw_scene(np.random.default_rng(7), 3.0)
    assert draw_scene(np.random.default_rng(7), 3.0) != draw_scene(np.random.default_rng(8), 3.0)


@pytest.mark.parametrize("motion", list(DIRECTIONS))
def test_objects_go_where_their_motion_says(motion: str) -> None:
    scene = draw_scene(np.random.default_rng(1), 3.0, wishes=Wishes(motion=motion, event="none"))
    path = scene.things[0].path
    way = (path.at(3.0) - path.at(0.0))[:2]
    assert np.allclose(way / np.linalg.norm(way), DIRECTIONS[motion])


def test_speeds_are_in_the_order_of_their_words() -> None:
    speeds: dict[str, set[float]] = {word: set() for word in SPEEDS}
    for seed in range(200):
        scene = draw_scene(np.random.default_rng(seed), 3.0, 1.0, Wishes(motion="right", event="none"))
        path, thing = scene.things[0].path, scene.things[0]
        seconds = path.times_s[1] - path.times_s[0]
        speeds[thing.speed].add(round(float(path.at(3.0)[0] - path.at(0.0)[0]) / seconds / path.at(0.0)[2], 3))
    assert max(speeds["slow"]) < min(speeds["medium"])
    assert max(speeds["medium"]) < min(speeds["fast"])


def test_what_falls_ends_on_the_floor() -> None:
    for seed in SEEDS:
        thing = draw_scene(np.random.default_rng(seed), 4.0, wishes=Wishes(event="fall")).things[0]
        assert thing.path.at(4.0)[1] + thing.height / 2 == pytest.approx(FLOOR_Y, abs=0.05)
        assert thing.path.at(0.0)[1] < thing.path.at(4.0)[1]


def test_what_bounces_touches_the_floor_and_leaves_it_again() -> None:
    thing = draw_scene(np.random.default_rng(2), 4.0, wishes=Wishes(event="bounce")).things[0]
    lift = [FLOOR_Y - float(thing.path.at(t)[1]) - thing.height / 2 for t in np.arange(0, 4, 0.01)]
    assert min(lift) < 0.02
    touch = int(np.argmin(lift))
    assert max(lift[touch:]) > 0.5


def test_the_pushed_object_moves_only_after_it_was_touched() -> None:
    for seed in SEEDS:
        scene = draw_scene(np.random.default_rng(seed), 4.0, wishes=Wishes(event="collision"))
        first, second = scene.things[:2]
        hit_s = first.path.times_s[-1]
        assert np.allclose(second.path.at(0.0), second.path.at(hit_s))
        gap = abs(float(second.path.at(hit_s)[0] - first.path.at(hit_s)[0]))
        assert gap <= 0.5 * (first.height + second.height)
        push = float(second.path.at(4.0)[0] - second.path.at(hit_s)[0])
        assert push * float(first.path.at(hit_s)[0] - first.path.at(0.0)[0]) > 0


def test_relations_are_true_at_the_start() -> None:
    seen = set()
    for seed in range(150):
        scene = draw_scene(np.random.default_rng(seed), 3.0, wishes=Wishes(num_things=2))
        (x0, y0, z0), (x1, y1, z1) = (thing.path.at(0.0) for thing in scene.things[:2])
        truth = {
            "left of": x0 / z0 < x1 / z1,
            "right of": x0 / z0 > x1 / z1,
            "above": y0 / z0 < y1 / z1,
            "below": y0 / z0 > y1 / z1,
            "in front of": z0 < z1,
            "behind": z0 > z1,
            "": True,
        }
        assert truth[scene.relation], (seed, scene.relation)
        assert scene.relation == relation_at_start(scene.things)
        seen.add(scene.relation)
    assert seen >= {"left of", "right of", "above", "below", "in front of", "behind"}


def test_captions_name_what_is_there_and_vary_in_wording() -> None:
    words = {*SHAPES, *COLORS}
    shorts = set()
    for seed in range(60):
        scene = draw_scene(np.random.default_rng(seed), 3.0, wishes=Wishes(event=EVENTS[seed % len(EVENTS)]))
        texts = caption(scene)
        subject = scene.things[0]
        allowed = {word for thing in scene.things for word in (thing.shape, thing.color)}
        for text in (texts.short, texts.dense):
            named = words & {word.strip(".,;") for word in text.lower().split()}
            # A background can be checkered, but no shape and no colour is said that is not shown.
            assert {subject.shape, subject.color} <= named <= allowed
        assert texts.structured["camera"]["motion"] == scene.camera.name
        assert len(texts.structured["objects"]) == len(scene.things)
        assert texts == caption(scene)
        shorts.add(texts.short)
    assert len(shorts) == 60
