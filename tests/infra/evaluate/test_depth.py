"""What stands before what, in rendered footage of two objects that overlap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infra.demo.draw import Wishes, draw_scene
from infra.demo.paths import rest
from infra.demo.render import render_shot
from infra.evaluate.depth import fronts, stands
from infra.evaluate.objects import follow, working


def footage(shapes: tuple[str, str], depths: tuple[float, float], gap: float, num: int = 2) -> np.ndarray:
    """Two still objects, red left of blue; `gap` is from middle to middle, in the height of a medium one."""
    wishes = Wishes(camera="static", event="none", num_things=1, motion="still", time="day", background="plaster wall")
    scene = draw_scene(np.random.default_rng(8), 1.0, 4 / 3, wishes)
    things = []
    for side, color, shape, z in zip((-1, 1), ("red", "blue"), shapes, depths, strict=True):
        height = 0.24 * 0.72 * z
        place = (side * 0.5 * gap * height, -0.05 * z, z)
        things.append(replace(scene.things[0], color=color, shape=shape, height=height, path=rest(place)))
    scene = replace(scene, things=tuple(things), light_change="steady", occluder="none", brightness="normal")
    return np.stack(list(render_shot(scene, (128, 96), [k / 7.5 for k in range(num)])))


def seen(frames: np.ndarray, shapes: tuple[str, str]) -> str:
    pictures = working(frames)
    objects = follow(pictures)
    keys = [[k for k, one in enumerate(objects) if one.color == color] + [color] for color in ("red", "blue")]
    return stands(fronts(objects, pictures), *keys, shapes)


@pytest.mark.parametrize("shapes", [("circle", "circle"), ("square", "heart"), ("triangle", "star")])
def test_the_one_whose_outline_is_whole_stands_in_front(shapes: tuple[str, str]) -> None:
    assert seen(footage(shapes, (5.8, 7.0), 0.6), shapes) == "in front of"
    assert seen(footage(shapes, (7.0, 5.8), 0.6), shapes) == "behind"


def test_of_what_stands_apart_nothing_is_said() -> None:
    assert seen(footage(("circle", "square"), (5.8, 7.0), 1.4), ("circle", "square")) == ""


def test_a_picture_without_objects_shows_nothing() -> None:
    empty = [np.full((160, 160, 3), 90, np.uint8)]
    assert fronts([], empty) == {}
    assert stands({}, ["red"], ["blue"], ("circle", "square")) == ""
