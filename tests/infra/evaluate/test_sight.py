"""What is seen in rendered footage, of which the truth is known."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from infra.demo.draw import Wishes, draw_scene
from infra.demo.render import render_shot
from infra.demo.scene import Scene
from infra.evaluate.blobs import find_blobs
from infra.evaluate.camera import find_path
from infra.evaluate.objects import follow, working
from infra.evaluate.sight import Sight, look, object_masks

RATE = 7.5


def footage(scene: Scene, num: int = 9, size: tuple[int, int] = (160, 120)) -> np.ndarray:
    return np.stack(list(render_shot(scene, size, [k / RATE for k in range(num)])))


def drawn(seed: int, num: int = 9, **wishes: object) -> Scene:
    return draw_scene(np.random.default_rng(seed), num / RATE, 4 / 3, Wishes(**wishes))


@pytest.fixture(scope="module")
def sight() -> Sight:
    """A red star that goes to the right before bricks, beside something that stands still, under a panning camera."""
    wishes = {"color": "red", "shape": "star", "motion": "right", "event": "none", "num_things": 2, "time": "day"}
    scene = drawn(12, camera="pan left", camera_speed="slow", background="brick wall", **wishes)
    return look(footage(replace(scene, occluder="none", light_change="steady")), RATE)


def test_objects_are_named_and_counted(sight: Sight) -> None:
    assert len(sight.objects) == 2
    assert ("red", "star") in [(one.color, one.shape) for one in sight.objects]


def test_motion_is_that_in_the_world_and_not_in_the_picture(sight: Sight) -> None:
    star = next(k for k, one in enumerate(sight.objects) if one.color == "red")
    assert sight.motions[star] == "right"
    assert sight.motions[1 - star] == "still"
    in_picture = np.diff(sight.objects[1 - star].places[:, 0]).sum()
    assert abs(in_picture) > 10


def test_camera_background_and_geometry_are_seen(sight: Sight) -> None:
    assert sight.camera.name == "pan left"
    assert sight.background == "brick wall"
    assert sight.reprojection is not None
    assert sight.reprojection[0] > 0.5
    assert sight.reprojection[1] < 0.005


@pytest.mark.parametrize("name", ["static", "truck right", "zoom in", "dolly in", "tilt down", "orbit", "handheld"])
def test_moves_of_the_camera_are_told_apart(name: str) -> None:
    scene = drawn(21, camera=name, camera_speed="medium", event="none", num_things=1, background="wooden boards")
    pictures = working(footage(replace(scene, occluder="none"), 7))
    objects = follow(pictures)
    assert find_path(pictures, object_masks(pictures, objects)).name == name


def test_an_empty_wall_has_no_object_and_checkers_are_none() -> None:
    scene = replace(drawn(5, background="checkered wall", time="day", camera="static"), things=(), event="none")
    assert follow(working(footage(replace(scene, occluder="none"), 4))) == []


def test_colours_and_shapes_survive_a_soft_picture() -> None:
    scene = drawn(
        33, camera="static", color="green", shape="heart", motion="up", event="none", num_things=1, time="day"
    )
    frames = footage(replace(scene, occluder="none"), 5)
    soft = np.stack([cv2.GaussianBlur(frame, (0, 0), 1.2) for frame in frames])
    seen = follow(working(soft))
    assert (seen[0].color, seen[0].shape) == ("green", "heart")


def test_what_the_edge_cuts_says_so() -> None:
    picture = np.full((160, 160, 3), 130, np.uint8)
    cv2.rectangle(picture, (-20, 60), (24, 100), (214, 40, 40), -1)
    cv2.rectangle(picture, (80, 60), (120, 100), (214, 40, 40), -1)
    assert sorted((round(blob.x), blob.touches) for blob in find_blobs(picture)) == [(12, True), (100, False)]
