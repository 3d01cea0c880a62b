"""What a plan wastes: budget left unused, ranks that wait for others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.packing.balance import IDLE, share
from trainer.packing.best_fit import Ints
from trainer.packing.plan import EpochPlan, Loads


@dataclass(frozen=True, slots=True)
class PlanFigures:
    """Figures of an epoch for one number of ranks."""

    num_steps: int
    """The last, incomplete one included."""
    padding_ratio: float
    """Of the budget of the whole steps, what holds no token."""
    busy_ratio: float
    """Of the time of all ranks in whole steps, by FLOPs, what they do not wait for the slowest."""
    last_step_samples: int
    """Samples of the last, incomplete step; 0 where there is none."""
    last_step_padding_ratio: float
    """Of that step; 0 where there is none."""


def plan_figures(plan: EpochPlan, loads: Loads, token_budget: int, num_ranks: int) -> PlanFigures:
    """Measure a plan.

    Args:
        plan: Of an epoch.
        loads: Of the same samples.
        token_budget: Of a pack.
        num_ranks: How many ranks share each step.
    """
    whole = plan.steps[: plan.num_whole_steps]
    last = plan.steps[plan.num_whole_steps :]
    work = [rank_costs(step, loads, num_ranks) for step in whole]
    slowest = sum(float(costs.max()) for costs in work)
    return PlanFigures(
        num_steps=len(plan.steps),
        padding_ratio=_padding(whole, loads, token_budget),
        busy_ratio=sum(float(costs.mean()) for costs in work) / slowest if work else 1.0,
        last_step_samples=sum(len(pack) for step in last for pack in step),
        last_step_padding_ratio=_padding(last, loads, token_budget),
    )


def rank_costs(step: Sequence[Ints], loads: Loads, num_ranks: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """FLOPs of each rank in a step, float64 (num_ranks,)."""
    costs = np.array([float(loads.costs[pack].sum()) for pack in step])
    shared = share(costs, num_ranks)
    total: np.ndarray[tuple[int], np.dtype[np.float64]] = np.where(shared == IDLE, 0.0, costs[shared]).sum(axis=1)
    return total


def _padding(steps: Sequence[Sequence[Ints]], loads: Loads, token_budget: int) -> float:
    sizes = loads.sizes
    held = [int(sizes[pack].sum()) for step in steps for pack in step]
    return 1 - sum(held) / (len(held) * token_budget) if held else 0.0
