from __future__ import annotations

import numpy as np
import pytest

from infra.demo.captions import caption
from infra.demo.draw import HIDING
from infra.demo.render import render_shot
from infra.evaluate.asked import AskedThing, read_prompt
from infra.evaluate.objects import Seen, follow, working
from infra.evaluate.shot_lists import draw_shots, kept_subject

SIZE, RATE = (128, 96), 7.5
CUTS = (False, True, False)


def draw(seed: int, cuts: tuple[bool, ...] = CUTS) -> list:
    return draw_shots(np.random.default_rng(seed), [9 / RATE, 8 / RATE, 8 / RATE], cuts, SIZE, "held_out")


def test_all_shots_ask_for_one_subject_and_only_a_cut_changes_the_place() -> None:
    for seed in range(6):
        scenes = draw(seed)
        asked = [read_prompt(caption(scene).dense).things for scene in scenes]
        assert len({(one.size, one.color, one.shape) for things in asked for one in things}) == 1
        assert scenes[0].background != scenes[1].background == scenes[2].background
        assert scenes[1].floor == scenes[2].floor
        assert all(asked[0][0].color not in HIDING.get(scene.background, ()) for scene in scenes)
    assert draw(1) == draw(1) != draw(2)


@pytest.fixture(scope="module")
def parts() -> tuple[AskedThing, list[list[Seen]], list[Seen]]:
    """What is asked for, what footage of its three shots shows, and a shot of something else."""
    scenes = draw(3)
    found = []
    for scene in (*scenes, draw(4)[0]):
        frames = np.stack(list(render_shot(scene, SIZE, [k / RATE for k in range(4)])))
        found.append(follow(working(frames)))
    return read_prompt(caption(scenes[0]).dense).things[0], found[:3], found[3]


def test_footage_of_the_scenes_keeps_its_subject(parts: tuple[AskedThing, list[list[Seen]], list[Seen]]) -> None:
    asked, shots, _ = parts
    assert kept_subject(asked, shots) == (1, 1)


def test_a_shot_of_something_else_or_of_nothing_does_not(
    parts: tuple[AskedThing, list[list[Seen]], list[Seen]],
) -> None:
    asked, shots, other = parts
    assert kept_subject(asked, [shots[0], other, shots[2]]) == (pytest.approx(2 / 3), 0)
    assert kept_subject(asked, [shots[0], shots[1], []]) == (pytest.approx(2 / 3), 0)
    assert kept_subject(asked, [[], [], []]) == (0, 0)
