from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from infra.evaluate.asked import read_prompt
from infra.evaluate.config import EvaluateConfig, SizeGroup
from infra.evaluate.films import Film, draw_films, whole_share


def config(**changes: object) -> EvaluateConfig:
    sampling = {"model": "none", "frame_rate": 7.5}
    return EvaluateConfig.model_validate({"sampling": sampling, "num_prompts": 54, **changes})


@pytest.fixture(scope="module")
def films() -> list[Film]:
    return draw_films(config())


def test_films_are_of_five_aspects_three_lengths_and_all_kinds_of_sizes(films: list[Film]) -> None:
    assert len({film.aspect for film in films}) >= 5
    assert len({(film.size, film.num_frames) for film in films}) == 9 * 3
    assert set(Counter(film.group for film in films)) == set(SizeGroup)


def test_every_prompt_asks_for_its_subject_which_is_held_out_and_can_be_seen(films: list[Film]) -> None:
    for film in films:
        subject = film.scene.things[0]
        asked = read_prompt(film.prompt).things[0]
        assert (asked.color, asked.shape) == (subject.color, subject.shape)
        if film.scene.event not in ("turns", "return"):
            assert whole_share(film.scene, film.size) >= 0.7 or film.scene.occluder == "post"
        if film.scene.event not in ("turns", "return", "bite") and film.scene.occluder != "post":
            assert film.scene.held_out


def test_the_same_films_are_drawn_again_and_others_from_another_seed(films: list[Film]) -> None:
    assert draw_films(config()) == films
    assert draw_films(config(num_prompts=5)) == films[:5]
    assert draw_films(config(seed=3, num_prompts=5)) != films[:5]


def test_a_key_is_of_model_prompt_size_length_rate_and_seed(films: list[Film]) -> None:
    keys = {film.key(model) for film in films for model in ("one", "other")}
    assert len(keys) == 2 * len(films)
    assert draw_films(config())[0].key("one") == films[0].key("one")


def test_rendered_footage_has_the_films_shape(films: list[Film]) -> None:
    frames = films[1].rendered()
    width, height = films[1].size
    assert frames.shape == (films[1].num_frames, height, width, 3)
    assert frames.dtype == np.uint8
