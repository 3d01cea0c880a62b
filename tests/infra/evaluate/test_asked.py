from __future__ import annotations

import pytest

from infra.demo.captioned import draw_captioned
from infra.demo.captions import caption
from infra.demo.staged import STAGED, stage
from infra.evaluate.asked import Asked, read_prompt


def facts(asked: Asked) -> list[tuple[str, str, str, str, str]]:
    return [(thing.size, thing.color, thing.shape, thing.motion, thing.speed) for thing in asked.things]


@pytest.mark.parametrize("seed", range(0, 240, 3))
def test_a_dense_caption_gives_back_all_that_the_scene_says(seed: int) -> None:
    scene, _, _ = draw_captioned(seed, "any")
    asked = read_prompt(caption(scene).dense)
    wanted = [(thing.size, thing.color, thing.shape, thing.motion, thing.speed) for thing in scene.things]
    assert facts(asked)[0] == wanted[0]
    assert sorted(facts(asked)) == sorted(wanted)
    assert asked.number == len(scene.things)
    assert (asked.background, asked.floor, asked.camera) == (scene.background, scene.floor, scene.camera.name)
    assert asked.occluder == ("" if scene.occluder == "none" else scene.occluder)
    assert asked.event == ("" if scene.event == "none" else scene.event)
    assert asked.relation == ("" if scene.event == "collision" else scene.relation)


@pytest.mark.parametrize("seed", range(0, 120, 3))
def test_a_short_caption_gives_its_subject_and_leaves_the_rest_open(seed: int) -> None:
    scene, _, _ = draw_captioned(seed, "any")
    asked = read_prompt(caption(scene).short)
    subject = scene.things[0]
    assert facts(asked)[0] == (subject.size, subject.color, subject.shape, subject.motion, subject.speed)
    assert asked.number is None
    assert asked.background in ("", scene.background)
    assert asked.camera in ("", scene.camera.name)


@pytest.mark.parametrize("kind", STAGED)
def test_what_is_staged_is_read_as_it_was_staged(kind: str) -> None:
    for seed in range(8):
        scene, prompt = stage(kind, seed, 2.0, 16 / 9)
        asked = read_prompt(prompt)
        wanted = [(thing.size, thing.color, thing.shape, thing.motion) for thing in scene.things]
        assert [one[:4] for one in facts(asked)] == wanted
        assert asked.event == {"turns": "turns", "return": "return", "post": "", "bite": "bite"}[kind]
        assert asked.occluder == ("post" if kind == "post" else "")


def test_a_prompt_of_another_world_asks_for_nothing() -> None:
    assert not read_prompt("A stylish woman walks down a Tokyo street; the camera follows her.").asks
    assert not read_prompt("").asks
    assert read_prompt("a  Small RED circle").things[0].shape == "circle"
