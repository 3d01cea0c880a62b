from __future__ import annotations

import torch

from trainer.sampling.config import GuidanceConfig
from trainer.sampling.guidance import guide, guided, is_on
from trainer.sampling.pack import spread, turning
from trainer.sampling.solver import euler, schedule


def ramp(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """The velocity of a model that gives each of eight frames, of two tokens, its own place in time."""
    place = torch.arange(8.0).repeat_interleave(2)[:, None]
    return -place.expand_as(x)


def test_frames_that_turn_forget_which_of_them_is_the_first() -> None:
    times = spread([schedule(100, 1.0)], torch.ones(16, dtype=torch.bool), [16])
    noise = torch.zeros(16, 1)
    plain = euler(ramp, noise, times, lambda step: None)[::2, 0]
    turned = euler(turning(ramp, [8], [16], [1]), noise, times, lambda step: None)[::2, 0]
    torch.testing.assert_close(plain, torch.arange(8.0), atol=1e-4, rtol=0)
    # Each frame has been at each place about as often, so the seam is no larger than what lies between others.
    assert float(turned.max() - turned.min()) < 1.5
    assert abs(float(turned[0] - turned[-1])) <= 1.5 * float(turned.diff().abs().max())


def test_a_turn_is_undone_and_leaves_other_samples_alone() -> None:
    x = torch.arange(12.0)[:, None]
    seen = []

    def velocity(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        seen.append(x.clone())
        return x * 2

    wrapped = turning(velocity, [2, 4], [4, 8], [None, 3])
    for _ in range(8):
        assert torch.equal(wrapped(x, x), x * 2)
    assert all(torch.equal(given[:4], x[:4]) for given in seen)
    assert {int(given[4, 0]) for given in seen} <= {4, 6, 8, 10}
    assert len({int(given[4, 0]) for given in seen}) > 1
    assert turning(velocity, [2, 4], [4, 8], [None, None]) is velocity


def test_times_are_spread_over_made_tokens_and_are_0_on_given_ones() -> None:
    made = torch.tensor([True, False, True, True])
    first, last = spread([(1.0, 0.0), (0.5, 0.0)], made, [2, 2])
    assert first[:, 0].tolist() == [1.0, 0.0, 0.5, 0.5]
    assert last[:, 0].tolist() == [0.0] * 4


def test_guidance_goes_on_beyond_what_the_prompt_says() -> None:
    told, bare = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 1.0]])
    assert torch.equal(guided(told, bare, None, GuidanceConfig(text=1.0)), told)
    assert torch.equal(guided(told, bare, None, GuidanceConfig(text=3.0)), torch.tensor([[3.0, 4.0]]))


def test_rescaling_gives_the_deviation_of_the_unguided_back() -> None:
    generator = torch.Generator().manual_seed(0)
    told, bare = (torch.randn(50, 8, generator=generator) for _ in range(2))
    pushed = guided(told, bare, None, GuidanceConfig(text=9.0))
    assert float(pushed.std()) > 2 * float(told.std())
    whole = guided(told, bare, None, GuidanceConfig(text=9.0, rescale=1.0))
    torch.testing.assert_close(whole.std(), told.std())
    half = guided(told, bare, None, GuidanceConfig(text=9.0, rescale=0.5))
    torch.testing.assert_close(half, (pushed + whole) / 2)


def test_only_samples_inside_the_interval_are_guided() -> None:
    config = GuidanceConfig(text=3.0, interval=(0.3, 0.8))
    assert [is_on(config, time) for time in (0.2, 0.3, 0.8, 0.9)] == [False, True, True, False]
    told, bare = torch.ones(5, 1), torch.zeros(5, 1)
    made = [torch.tensor([0, 1]), torch.tensor([3, 4])]
    found = guide(told, bare, None, made, [0.9, 0.5], config)
    # A given token of a guided sample has no velocity that anybody reads.
    assert found[:, 0].tolist() == [1, 1, 1, 3, 3]


def test_what_is_given_counts_by_its_own_weight() -> None:
    told, bare, alone = torch.tensor([[4.0]]), torch.tensor([[3.0]]), torch.tensor([[1.0]])
    assert float(guided(told, bare, alone, GuidanceConfig(text=2.0, image=1.0))) == 5.0
    # Without either: 1; the picture adds 2, three times; the prompt adds 1, twice.
    assert float(guided(told, bare, alone, GuidanceConfig(text=2.0, image=3.0))) == 1 + 3 * 2 + 2 * 1
