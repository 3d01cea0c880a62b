from __future__ import annotations

import numpy as np
import pytest

from infra.bench.packing import draw_mix, measure, padded_ratio
from infra.bench.train import draw_sizes


def test_the_mix_is_that_of_its_definition() -> None:
    mix = draw_mix(5000)
    assert (mix.loads.tokens <= 33 * 256).all()
    assert np.median(mix.loads.text_tokens) == pytest.approx(120, rel=0.05)
    assert 1 - mix.square.sum() / mix.area.sum() == pytest.approx(0.42, abs=0.03)
    assert draw_mix(50).loads.tokens.tolist() == draw_mix(50).loads.tokens.tolist()


def test_padding_is_counted_against_the_longest_of_a_batch() -> None:
    assert padded_ratio(np.array([4] * 8)) == 0
    assert padded_ratio(np.array([8] + [1] * 7)) == pytest.approx(1 - 15 / 64)


def test_every_promise_about_packs_is_kept() -> None:
    figures = measure()
    assert all(figure.reached is not False for figure in figures if "planning" not in figure.name)
    assert sum(figure.reached is True for figure in figures) >= 8


def test_made_latents_have_pictures_and_videos_of_all_shapes() -> None:
    sizes = draw_sizes(200)
    assert sizes == draw_sizes(200)
    assert 0.2 < sum(size[0] == 1 for size in sizes) / 200 < 0.45
    assert len({size[1:] for size in sizes}) == 4
