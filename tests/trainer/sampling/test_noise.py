from __future__ import annotations

import pytest
import torch

from schemas import LatentShape
from trainer.sampling.noise import draw, refined, varied

SHAPE = LatentShape(4, 3, 12, 20)


def test_a_seed_gives_the_same_bits_and_another_one_others() -> None:
    assert torch.equal(draw(SHAPE, 7), draw(SHAPE, 7))
    assert torch.equal(draw(SHAPE, 7, "piece 1"), draw(SHAPE, 7, "piece 1"))
    for other in (draw(SHAPE, 8), draw(SHAPE, 7, "piece 1")):
        assert not torch.equal(draw(SHAPE, 7), other)


def test_variations_are_unit_noise_from_one_seed_to_the_other() -> None:
    first, second = draw(SHAPE, 1), draw(SHAPE, 2)
    assert torch.equal(varied(first, second, 0.0), first)
    torch.testing.assert_close(varied(first, second, 1.0), second, atol=1e-6, rtol=0)
    distances = []
    for amount in (0.1, 0.3, 0.6):
        between = varied(first, second, amount)
        assert float(between.std()) == pytest.approx(1, abs=0.05)
        distances.append(float((between - first).norm()))
    assert distances == sorted(distances)


@pytest.mark.parametrize(("height", "width"), [(12, 20), (24, 40), (17, 31)])
def test_refined_noise_is_unit_noise_with_the_layout_of_the_small_one(height: int, width: int) -> None:
    small, large = draw(SHAPE, 1), draw(LatentShape(4, 3, height, width), 2)
    found = refined(small, large)
    assert found.shape == large.shape
    assert float(found.std()) == pytest.approx(1, abs=0.04)
    assert abs(float(found.mean())) < 0.05
    if (height, width) == (24, 40):
        means = found.unflatten(3, (20, 2)).unflatten(2, (12, 2)).mean((3, 5))
        torch.testing.assert_close(means, small / 2)
    same_layout = torch.nn.functional.interpolate(found, SHAPE[2:], mode="area")
    both = torch.stack([same_layout.reshape(-1), small.reshape(-1)])
    # Where the sizes do not divide, areas reach into their neighbours.
    assert float(torch.corrcoef(both)[0, 1]) > 0.5


def test_neighbours_of_refined_noise_know_nothing_of_each_other() -> None:
    shape = LatentShape(16, 8, 16, 16)
    found = refined(draw(LatentShape(16, 8, 8, 8), 1), draw(shape, 2))
    both = torch.stack([found[:, :, :, ::2].reshape(-1), found[:, :, :, 1::2].reshape(-1)])
    assert abs(float(torch.corrcoef(both)[0, 1])) < 0.02
