from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from schemas import ConfigError
from trainer.config import TrainConfig
from trainer.dry_run import dry_run
from trainer.model.dit import DiT, DiTParams
from trainer.prepare import pin, split
from trainer.run_folder import Pinned
from trainer.sample_rows import SampleRows
from trainer.steps import Steps

Config = Callable[..., TrainConfig]


@pytest.fixture(scope="module")
def pinned(made_shards: str, tiny_config: Config) -> Pinned:
    return pin(made_shards, tiny_config())


def test_a_dry_run_tells_the_first_epoch(pinned: Pinned, tiny_config: Config) -> None:
    config = tiny_config()
    found = dry_run(config, pinned, 2)
    learnt, held = split(pinned.rows, config)
    assert (found.num_samples, found.num_held_out) == (len(learnt), len(held))
    assert sum(count for _, count in found.histogram) == len(learnt)
    model = DiT(DiTParams.of(config.model, patch_channels=16, text_width=12))
    assert found.num_parameters == sum(parameter.numel() for parameter in model.parameters())
    steps = Steps(learnt, config, patch_channels=16, text_width=12)
    assert found.figures.num_steps == len(steps.epoch(0).plan.steps)
    assert found.tokens_a_step == pytest.approx(256 * (1 - found.figures.padding_ratio), abs=1)
    assert found.memory.total > 0
    assert all(isinstance(line, str) for line in found.lines())


def test_a_dry_run_refuses_what_a_run_would(pinned: Pinned, tiny_config: Config) -> None:
    with pytest.raises(ConfigError, match="would never be seen"):
        dry_run(tiny_config(packing={"token_budget": 40}), pinned, 1)


def few(pinned: Pinned, indices: list[int]) -> SampleRows:
    return pinned.rows.take(np.array(indices))


def test_steps_follow_each_other_over_epochs(pinned: Pinned, tiny_config: Config) -> None:
    rows = few(pinned, list(range(20)))
    steps = Steps(rows, tiny_config(), patch_channels=16, text_width=12)
    numbers = [steps.step(step).epoch.number for step in range(12)]
    assert numbers == sorted(numbers)
    for epoch in range(3):
        seen = [name for step in range(12) if numbers[step] == epoch for name in steps.clip_ids(step)]
        assert sorted(seen) == rows.clip_ids


def test_a_step_far_ahead_is_the_one_that_is_reached(pinned: Pinned, tiny_config: Config) -> None:
    rows = few(pinned, list(range(20)))
    reached = Steps(rows, tiny_config(), patch_channels=16, text_width=12)
    for step in range(30):
        reached.step(step)
    fresh = Steps(rows, tiny_config(), patch_channels=16, text_width=12)
    assert fresh.clip_ids(29) == reached.clip_ids(29)


@pytest.mark.parametrize("num_ranks", [1, 2, 3])
def test_ranks_share_a_step_whatever_their_number(num_ranks: int, pinned: Pinned, tiny_config: Config) -> None:
    config = tiny_config(packing={"packs_per_step": 3})
    steps = Steps(pinned.rows, config, patch_channels=16, text_width=12)
    plan = steps.step(1)
    shared = [plan.of_rank(rank, num_ranks) for rank in range(num_ranks)]
    assert len({len(packs) for packs in shared}) == 1
    together = sorted(index for packs in shared for pack in packs for index in pack.tolist())
    assert together == sorted(plan.samples.tolist())
