from __future__ import annotations

import numpy as np
import pytest

from infra.demo.shapes import area, outline
from infra.demo.staged import STAGED, stage


@pytest.mark.parametrize("kind", STAGED)
def test_a_seed_stages_the_same_scene_and_others_other_ones(kind: str) -> None:
    assert stage(kind, 7, 2.0, 1.5) == stage(kind, 7, 2.0, 1.5)
    assert stage(kind, 7, 2.0, 1.5) != stage(kind, 8, 2.0, 1.5)


def test_the_second_begins_when_the_first_has_stopped() -> None:
    for seed in range(10):
        first, second = stage("turns", seed, 2.0, 0.6)[0].things
        assert first.path.times_s[-1] < second.path.times_s[0]
        assert np.linalg.norm(first.path.at(2.0) - first.path.at(0.0)) > 0.3


def test_what_returns_is_out_of_the_picture_half_way_and_back_at_the_end() -> None:
    for seed in range(10):
        scene, _ = stage("return", seed, 2.0, 0.6)
        thing = scene.things[0]
        matrix = scene.camera.pose(1.0, 2.0).matrix((90, 150))
        half_way = np.append(thing.path.at(1.0) - np.sign(thing.path.at(1.0)) * (thing.height / 2, 0, 0), 1)
        x = (matrix @ half_way)[0] / (matrix @ half_way)[2]
        assert not 0 < x < 90
        assert np.allclose(thing.path.at(0.0), thing.path.at(2.0))


def test_what_is_bitten_stands_whole_at_first_and_lacks_the_same_piece_from_some_moment_to_the_end() -> None:
    for seed in range(10):
        scene, _ = stage("bite", seed, 2.0, 0.6)
        thing = scene.things[0]
        assert thing.size in ("medium", "large")
        assert np.allclose(thing.path.at(0.0), thing.path.at(2.0))
        assert np.array_equal(thing.outline_at(0.6), outline(thing.shape))
        assert 0.1 < 1 - area(thing.outline_at(1.21)) / area(outline(thing.shape)) < 0.3
        assert np.array_equal(thing.outline_at(1.21), thing.outline_at(2.0))


def test_nothing_else_can_be_staged() -> None:
    with pytest.raises(ValueError, match="nothing to stage: 'explosion'"):
        stage("explosion", 1, 2.0, 1.0)
