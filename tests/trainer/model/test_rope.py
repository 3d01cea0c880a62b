from __future__ import annotations

import pytest
import torch

from trainer.model.config import RopeConfig
from trainer.model.grid import TokenGrid
from trainer.model.rope import frequencies, head_axes, positions, rotate, rotation, wave_stretches


def test_frequencies_are_those_of_wan_and_hunyuan() -> None:
    assert head_axes(128) == (44, 42, 42)
    assert frequencies(44, 1e4)[:4].tolist() == pytest.approx([1, 0.657933, 0.432876, 0.284804], abs=1e-6)
    assert frequencies(42, 1e4)[:4].tolist() == pytest.approx([1, 0.644947, 0.415956, 0.268270], abs=1e-6)
    assert frequencies(16, 256)[:4].tolist() == pytest.approx([1, 0.5, 0.25, 0.125])
    assert frequencies(56, 256)[:4].tolist() == pytest.approx([1, 0.820335, 0.672950, 0.552045], abs=1e-6)


@pytest.mark.parametrize("width", [32, 64, 72, 128])
def test_the_axes_fill_a_head(width: int) -> None:
    axes = head_axes(width)
    assert sum(axes) == width
    assert all(axis % 2 == 0 for axis in axes)


def test_positions_are_seconds_and_pixels_from_the_centre() -> None:
    config = RopeConfig(unit_s=0.5, unit_px=16)
    found = positions(TokenGrid(2, 1, 3), [0.0, 0.25], (16, 32), config)
    assert found[:3].tolist() == [[0, 0, -2], [0, 0, 0], [0, 0, 2]]
    assert found[3:, 0].tolist() == [0.5] * 3


def test_the_same_moment_and_place_lie_the_same_at_another_rate_and_size() -> None:
    fine = positions(TokenGrid(5, 4, 4), [k / 24 for k in range(5)], (16, 16), RopeConfig())
    coarse = positions(TokenGrid(3, 2, 2), [k / 12 for k in range(3)], (32, 32), RopeConfig())
    assert fine.reshape(5, 4, 4, 3)[::2, 0, 0, 0].tolist() == coarse.reshape(3, 2, 2, 3)[:, 0, 0, 0].tolist()
    middle = fine.reshape(5, 4, 4, 3)[:, :2, :2, 1:].mean((0, 1, 2)), coarse.reshape(3, 2, 2, 3)[:, 0, 0, 1:].mean(0)
    assert torch.allclose(*middle)


def test_attention_sees_distances_alone() -> None:
    config = RopeConfig()
    q, k = torch.randn(2, 1, 1, 32)
    grid = TokenGrid(3, 4, 4)
    here = positions(grid, [0.0, 0.1, 0.2], (16, 16), config)

    def product(one: torch.Tensor, other: torch.Tensor) -> float:
        turned = [rotate(x, *rotation(p[None], 32, config)) for x, p in ((q, one), (k, other))]
        return float((turned[0] * turned[1]).sum())

    moved = here + torch.tensor([3.0, -2.0, 5.0])
    assert product(here[3], here[40]) == pytest.approx(product(moved[3], moved[40]), abs=1e-4)
    assert product(here[3], here[40]) != pytest.approx(product(here[3], here[41]), abs=1e-4)


def test_rotation_turns_pairs_and_keeps_lengths() -> None:
    x = torch.randn(6, 2, 16)
    turned = rotate(x, *rotation(torch.randn(6, 3) * 9, 16, RopeConfig()))
    assert torch.allclose(turned.norm(dim=-1), x.norm(dim=-1), atol=1e-5)
    pairs = x.unflatten(-1, (-1, 2)).norm(dim=-1), turned.unflatten(-1, (-1, 2)).norm(dim=-1)
    assert torch.allclose(*pairs, atol=1e-5)


def test_interpolation_draws_a_larger_clip_into_what_was_trained() -> None:
    grid, times = TokenGrid(1, 4, 8), [0.0]
    plain = positions(grid, times, (512, 512), RopeConfig(trained_px=2048))
    drawn = positions(grid, times, (512, 512), RopeConfig(trained_px=2048, extrapolation="interpolate"))
    assert torch.equal(drawn[:, 1], plain[:, 1])
    assert torch.allclose(drawn[:, 2], plain[:, 2] / 2)


def test_ntk_lengthens_the_longest_wave_and_leaves_the_shortest() -> None:
    config = RopeConfig(trained_s=1.0, extrapolation="ntk", axes=(8, 4, 4))
    grid, times = TokenGrid(2, 1, 1), [0.0, 4.0]
    stretches = wave_stretches(grid, times, (16, 16), config)
    assert stretches.tolist() == [4, 1, 1]
    point = torch.tensor([[1.0, 0.0, 0.0]])
    plain, longer = rotation(point, 16, config)[1], rotation(point, 16, config, stretches[None])[1]
    assert longer[0, 0] == plain[0, 0]
    assert longer[0, 3].item() == pytest.approx(plain[0, 3].item() / 4, rel=1e-3)
