import json
from pathlib import Path

import numpy as np
import pytest

from captioner.evaluate.facts import fact_scores
from captioner.finetune.answers import read_answers
from captioner.structured import render
from infra.demo.answered import ANSWERS_FILE, SINGLE_FILE, make_answered
from infra.demo.described import describe
from infra.demo.draw import Wishes, draw_scene
from infra.demo.vocabulary import EVENTS
from schemas.caption import CaptionKind


def scenes(num: int) -> list:
    return [draw_scene(np.random.default_rng(seed), 3.0, 16 / 9) for seed in range(num)]


def test_a_right_caption_has_every_fact_and_no_wrong_one() -> None:
    described = {str(number): describe(scene) for number, scene in enumerate(scenes(60))}
    facts = {key: {name: tuple(said) for name, said in one.facts.items()} for key, one in described.items()}
    texts = {key: render(one.structured)[CaptionKind.dense] for key, one in described.items()}
    scores = fact_scores(facts, texts)
    assert {score.attribute for score in scores} == {
        *("shape", "color", "size", "number", "motion", "camera", "background")
    }
    assert {score.attribute: (score.num_missing, score.num_wrong) for score in scores} == {
        score.attribute: (0, 0) for score in scores
    }


def test_objects_are_told_from_left_to_right() -> None:
    scene = next(scene for scene in scenes(40) if len(scene.things) == 4)
    matrix = scene.camera.pose(0.0, scene.duration_s).matrix((1000, 1000))
    across = {}
    for thing in scene.things:
        spot = matrix @ np.append(thing.path.at(0.0), 1)
        across[thing.color] = spot[0] / spot[2]
    assert describe(scene).facts["color"] == sorted(across, key=lambda color: across[color])


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_has_its_words(event: str) -> None:
    scene = draw_scene(np.random.default_rng(5), 3.0, 16 / 9, Wishes(event=event))
    words = {
        "none": "",
        "collision": "is pushed away",
        "bounce": "bounces on the floor",
        "fall": "falls to the floor",
        "brush": f"paints a {scene.things[0].color} stroke",
    }
    assert words[event] in describe(scene).structured.action


def test_films_and_answers_belong_together(tmp_path: Path) -> None:
    make_answered(tmp_path, seed=7, num=2, split="held_out")
    single = [json.loads(line) for line in (tmp_path / SINGLE_FILE).read_text().splitlines()]
    assert all(line["short"].startswith(("a small ", "a medium ", "a large ")) for line in single)
    answers = read_answers([str(tmp_path / ANSWERS_FILE)])
    films = sorted(tmp_path.glob("*.mp4"))
    assert len(films) == 2
    for film in films:
        found = answers.of("", str(film))
        assert found is not None
        assert json.loads(found.texts[CaptionKind.structured])["style"].startswith("miniature world")
