from __future__ import annotations

import numpy as np
import pytest

from infra.bench.packing import draw_mix, padded_ratio
from schemas import digest
from trainer.packing import IDLE, Loads, PackingConfig, hashes_of, plan_epoch, plan_figures, share
from trainer.packing.plan import EpochPlan


def loads_of(sizes: list[int], texts: int = 0, shapes: list[int] | None = None) -> Loads:
    tokens = np.array(sizes, np.int64)
    hashes = hashes_of([digest(["clip", k]) for k in range(len(sizes))])
    return Loads(
        hashes, tokens, np.full(len(sizes), texts), tokens**1.5, np.array(shapes or [0] * len(sizes), np.int64)
    )


def seen(plan: EpochPlan) -> list[int]:
    return sorted(index for step in range(len(plan.steps)) for index in plan.samples(step).tolist())


@pytest.mark.parametrize("count", [7, 8, 100, 1001])
@pytest.mark.parametrize("mode", ["pack", "bucket"])
def test_an_epoch_shows_each_sample_once(count: int, mode: str) -> None:
    rng = np.random.default_rng(count)
    sizes = rng.integers(1, 60, count).tolist()
    loads = loads_of(sizes, 3, rng.integers(0, 5, count).tolist())
    config = PackingConfig(mode=mode, token_budget=100, packs_per_step=4, buffer=32)  # type: ignore[arg-type]
    plan = plan_epoch(loads, config, seed=1, epoch=2)
    assert seen(plan) == list(range(count))
    assert all(len(step) == 4 for step in plan.steps)
    assert all(loads.sizes[pack].sum() <= 100 for step in plan.steps for pack in step)


def test_a_plan_is_the_same_every_time_and_another_in_another_epoch() -> None:
    loads = loads_of(list(range(1, 60)))
    config = PackingConfig(token_budget=100, packs_per_step=4)

    def steps(epoch: int) -> list[list[list[int]]]:
        return [[pack.tolist() for pack in step] for step in plan_epoch(loads, config, 0, epoch).steps]

    assert steps(0) == steps(0)
    assert steps(0) != steps(1)


def test_text_counts_towards_the_budget() -> None:
    config = PackingConfig(token_budget=100, packs_per_step=1)
    assert len(plan_epoch(loads_of([10] * 40, texts=0), config, 0, 0).steps) == 4
    assert len(plan_epoch(loads_of([10] * 40, texts=10), config, 0, 0).steps) == 8


def test_a_bucket_s_packs_hold_one_shape() -> None:
    shapes = [k % 3 for k in range(50)]
    loads = loads_of([10] * 50, shapes=shapes)
    config = PackingConfig(mode="bucket", token_budget=100, packs_per_step=2, batch_size=4)
    packs = [pack for step in plan_epoch(loads, config, 0, 0).steps for pack in step]
    assert all(len({shapes[index] for index in pack.tolist()}) <= 1 for pack in packs)
    assert max(len(pack) for pack in packs) == 4


def test_the_last_step_is_spread_so_that_all_packs_have_work() -> None:
    plan = plan_epoch(loads_of([30] * 21), PackingConfig(token_budget=100, packs_per_step=4), 0, 0)
    assert plan.num_whole_steps == 1
    assert sorted(len(pack) for pack in plan.steps[-1]) == [2, 2, 2, 3]


def test_few_samples_at_the_end_leave_packs_empty_and_are_not_lost() -> None:
    plan = plan_epoch(loads_of([100] * 5), PackingConfig(token_budget=100, packs_per_step=4), 0, 0)
    assert [sorted(len(pack) for pack in step) for step in plan.steps] == [[1, 1, 1, 1], [0, 0, 0, 1]]


@pytest.mark.parametrize("num_ranks", [1, 2, 3, 8])
def test_any_number_of_ranks_works_on_the_same_packs(num_ranks: int) -> None:
    costs = np.array([5.0, 1.0, 4.0, 2.0, 3.0, 6.0, 7.0, 8.0])
    shared = share(costs, num_ranks)
    assert shared.shape == (num_ranks, -(-8 // num_ranks))
    assert sorted(place for place in shared.reshape(-1).tolist() if place != IDLE) == list(range(8))


def test_ranks_get_about_equal_work() -> None:
    costs = np.array([8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0])
    assert costs[share(costs, 2)].sum(1).tolist() == [18.0, 18.0]


@pytest.mark.parametrize("num_ranks", [8, 64])
def test_native_sizes_waste_little_and_ranks_wait_little(num_ranks: int) -> None:
    loads = draw_mix(20_000, seed=5).loads
    config = PackingConfig(packs_per_step=num_ranks)
    found = plan_figures(plan_epoch(loads, config, 0, 0), loads, config.token_budget, num_ranks)
    assert found.padding_ratio <= 0.012
    assert found.busy_ratio >= 0.97
    assert padded_ratio(loads.tokens) > 0.35


def test_figures_are_those_of_the_definition() -> None:
    nothing = np.zeros(4, np.int64)
    tokens, costs = np.array([60, 100, 80, 80]), np.array([1.0, 3.0, 2.0, 2.0])
    loads = Loads(hashes_of([digest([k]) for k in range(4)]), tokens, nothing, costs, nothing)
    plan = EpochPlan(((np.array([0]), np.array([1])), (np.array([2]), np.array([3]))), 2)
    found = plan_figures(plan, loads, 100, 2)
    assert found.padding_ratio == pytest.approx(0.2)
    assert found.busy_ratio == pytest.approx((2 + 2) / (3 + 2))
    assert found.last_step_samples == 0
