from __future__ import annotations

import json
from pathlib import Path

from infra.demo.captioned import (
    ANSWERS_FILE,
    CAPTIONED_FILE,
    NUM_FRAMES,
    SIZES,
    add_captioned,
    draw_captioned,
    make_captioned,
)
from infra.demo.encode import decode


def test_each_film_has_its_caption_beside_it(tmp_path: Path) -> None:
    make_captioned(tmp_path, 7, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"scene_000000{seed}.{kind}" for seed in (7, 8, 9) for kind in ("mp4", "txt")
    ]
    for seed in (7, 8, 9):
        scene, size, text = draw_captioned(seed)
        pictures = list(decode(tmp_path / f"scene_000000{seed}.mp4"))
        assert len(pictures) == NUM_FRAMES
        assert pictures[0].shape == (size[1], size[0], 3)
        assert (tmp_path / f"scene_000000{seed}.txt").read_text() == text
        assert scene.things[0].color in text


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_captioned(tmp_path / name, 3, 1)
    both = [(tmp_path / name / "scene_0000003.mp4").read_bytes() for name in ("a", "b")]
    assert both[0] == both[1]


def test_training_films_show_nothing_held_out_and_all_shapes_of_picture() -> None:
    drawn = [draw_captioned(seed) for seed in range(60)]
    assert not any(scene.held_out for scene, _, _ in drawn)
    assert {size for _, size, _ in drawn} == set(SIZES)
    assert all(scene.things[0].held_out for scene, _, _ in (draw_captioned(seed, "held_out") for seed in range(5)))


def test_beside_a_world_every_second_film_has_the_caption_of_another(tmp_path: Path) -> None:
    is_true = add_captioned(tmp_path, 2, num=6)
    assert json.loads((tmp_path / CAPTIONED_FILE).read_text()) == is_true
    assert list(is_true.values()) == [True, False] * 3
    drawn = [draw_captioned(9_002_000 + k, "held_out")[2] for k in range(6)]
    beside = [(tmp_path / "footage" / name).with_suffix(".txt").read_text() for name in is_true]
    assert sorted(beside) == sorted(drawn)
    assert [one == other for one, other in zip(beside, drawn, strict=True)] == list(is_true.values())
    assert sum(1 for _ in decode(tmp_path / "footage" / "captioned_00.mp4")) == 30
    answers = [json.loads(line) for line in (tmp_path / ANSWERS_FILE).read_text().splitlines()]
    assert [answer["uri"] for answer in answers] == list(is_true)
    assert all(answer["facts"]["color"][0] in answer["structured"]["subject"] for answer in answers)
