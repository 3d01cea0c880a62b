from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infra.demo.draw import Wishes, draw_scene
from infra.demo.render import Stage, render_shot
from infra.demo.scene import Scene
from infra.demo.shapes import outline
from infra.demo.vocabulary import BACKGROUNDS, CAMERAS, COLORS, FLOORS, OCCLUDERS, SHAPES

SIZE = (160, 90)


def scene(seed: int = 0, **wishes: object) -> Scene:
    drawn = draw_scene(np.random.default_rng(seed), 2.0, 16 / 9, Wishes(**wishes))  # type: ignore[arg-type]
    return replace(drawn, occluder="none", light_change="steady")


def plain(color: str, shape: str = "square", seed: int = 0) -> Scene:
    drawn = scene(
        seed,
        color=color,
        shape=shape,
        motion="still",
        event="none",
        camera="static",
        num_things=1,
        time="day",
    )
    return replace(drawn, brightness="normal")


@pytest.mark.parametrize("size", [(160, 90), (90, 160), (200, 84), (97, 97)])
def test_any_size_and_aspect_is_rendered(size: tuple[int, int]) -> None:
    shot = draw_scene(np.random.default_rng(3), 1.0, size[0] / size[1])
    frames = list(render_shot(shot, size, rate=12))
    assert len(frames) == 12
    assert frames[0].shape == (size[1], size[0], 3)
    assert frames[0].dtype == np.uint8


def test_a_seed_gives_the_same_pictures() -> None:
    once, twice = (list(render_shot(scene(5), SIZE, [0.0, 0.5, 1.0])) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(once, twice, strict=True))


def test_the_frame_rate_does_not_change_what_is_seen_at_a_time() -> None:
    slow = list(render_shot(scene(6), SIZE, [0.0, 0.5]))
    fast = list(render_shot(scene(6), SIZE, [0.0, 0.25, 0.5]))
    # Only the grain goes by frames.
    assert np.abs(slow[1].astype(int) - fast[2]).mean() < 3


@pytest.mark.parametrize("color", list(COLORS))
def test_an_object_has_its_colour_where_it_stands(color: str) -> None:
    shot = plain(color)
    camera = shot.camera.pose(0.0, 2.0).matrix(SIZE)
    x, y, depth = camera @ np.append(shot.things[0].path.at(0.0), 1)
    pixel = Stage(shot, SIZE).picture(0.0)[round(y / depth), round(x / depth)].astype(float)
    lightness = pixel.sum() / sum(COLORS[color])
    assert np.abs(pixel - lightness * np.array(COLORS[color])).max() < 12


def test_the_outline_of_every_shape_differs_from_the_others() -> None:
    for shape in SHAPES:
        points = outline(shape)
        assert np.abs(points).max() == pytest.approx(0.5)
        assert len({tuple(np.round(outline(other).ravel()[:6], 3)) for other in SHAPES}) == len(SHAPES)
    with pytest.raises(ValueError, match="no shape"):
        outline("blob")


def test_a_moving_camera_changes_the_picture_and_a_static_one_does_not() -> None:
    for name in CAMERAS:
        shot = scene(4, camera=name, camera_speed="medium", motion="still", event="none", num_things=1)
        first, last = render_shot(shot, SIZE, [0.0, 1.9])
        change = np.abs(first.astype(int) - last).mean()
        assert (change < 3) == (name == "static"), (name, change)


def test_every_background_floor_and_occluder_can_be_painted() -> None:
    pictures = []
    for index, background in enumerate(BACKGROUNDS):
        shot = replace(scene(9), background=background, floor=FLOORS[index % 5], occluder=OCCLUDERS[index % 4])
        pictures.append(Stage(shot, SIZE).picture(0.0).astype(int))
    for i in range(len(pictures)):
        for j in range(i):
            assert np.abs(pictures[i] - pictures[j]).mean() > 3


def test_light_makes_pictures_darker_or_brighter() -> None:
    means = [
        Stage(replace(scene(9), brightness=brightness, time="day"), SIZE).picture(0.0).mean()
        for brightness in ("dark", "dim", "normal", "bright")
    ]
    assert means == sorted(means)
    assert means[0] < 0.4 * means[3]


def test_the_light_of_a_shot_can_change() -> None:
    shot = replace(scene(9, camera="static"), light_change="dims")
    means = [picture.mean() for picture in render_shot(shot, SIZE, [0.0, 0.5, 1.0, 1.5, 1.9])]
    assert means[4] < 0.6 * means[0]
    assert means[1] > means[2] > means[3]


def test_a_stroke_grows_and_stays() -> None:
    shot = scene(2, event="brush", camera="static", num_things=1, color="red", background="plaster wall")
    pictures = list(render_shot(replace(shot, time="day", brightness="normal"), SIZE, [0.0, 1.0, 1.9]))
    reds = [int(((p[..., 0] > 1.8 * p[..., 1]) & (p[..., 0] > 90)).sum()) for p in pictures]
    assert reds[0] < reds[1] < reds[2]


def test_edges_are_anti_aliased() -> None:
    picture = Stage(plain("white", "circle"), (320, 180)).picture(0.0)
    assert len(np.unique(picture[..., 1])) > 60
