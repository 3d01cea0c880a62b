"""The plan of an epoch: samples in packs, packs in steps; from names, sizes and a seed alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainer.packing.balance import spread, steps_of
from trainer.packing.best_fit import Ints, packs_in_order
from trainer.packing.config import PackingConfig
from trainer.packing.draws import Floats, Hashes, bits
from trainer.packing.shapes import packs_of_one_shape


@dataclass(frozen=True, slots=True)
class Loads:
    """What planning must know of samples, column by column, each (N,)."""

    hashes: Hashes
    """Of their ids; all draws come from them."""
    tokens: Ints
    """Video tokens."""
    text_tokens: Ints
    """Tokens of the caption that this epoch reads."""
    costs: Floats
    """FLOPs of a forward pass."""
    shapes: Ints
    """A number for each (frames, height, width); only `bucket` mode looks at it."""

    @property
    def sizes(self) -> Ints:
        """Tokens that count towards the budget."""
        return self.tokens + self.text_tokens


@dataclass(frozen=True, slots=True)
class EpochPlan:
    """All steps of an epoch. Each sample is in exactly one of them."""

    steps: tuple[tuple[Ints, ...], ...]
    """Packs of each step, as indices of samples; a pack without samples is one that a rank sits out."""
    num_whole_steps: int
    """Those before the last, incomplete one, whose few samples are spread over all packs; equal to the number of steps
    where nothing was left over."""

    def samples(self, step: int) -> Ints:
        """Indices of all samples of a step."""
        return np.concatenate(self.steps[step])


def plan_epoch(loads: Loads, config: PackingConfig, seed: int, epoch: int) -> EpochPlan:
    """Plan an epoch.

    The order of samples is drawn from their ids, the seed and the epoch. Packs are filled from a buffer of samples in
    that order, and steps are made of packs that cost alike. Nothing depends on the number of ranks.

    Args:
        loads: The samples, of which none is larger than the budget.
        config: How.
        seed: The run's.
        epoch: From 0.
    """
    order = np.argsort(bits(loads.hashes, seed, epoch, "order"), kind="stable")
    packs = _packs(loads, order, config)
    costs = np.array([float(loads.costs[pack].sum()) for pack in packs])
    whole, left_over = steps_of(costs, config.packs_per_step, config.window)
    # Steps of a window are sorted by cost: nothing may depend on such an order.
    shuffled = np.argsort(bits(np.arange(len(whole), dtype=np.uint64), seed, epoch, "steps"), kind="stable")
    steps = [tuple(packs[pack] for pack in whole[step]) for step in shuffled]
    if len(left_over):
        steps.append(_last_step(loads, [packs[pack] for pack in left_over], config))
    return EpochPlan(tuple(steps), len(whole))


def _packs(loads: Loads, order: Ints, config: PackingConfig) -> list[Ints]:
    sizes = loads.sizes[order]
    if config.mode == "bucket":
        found = packs_of_one_shape(loads.shapes[order], sizes, config.token_budget, config.batch_size)
    else:
        found = packs_in_order(sizes, config.token_budget, config.buffer)
    return [order[pack] for pack in found]


def _last_step(loads: Loads, packs: list[Ints], config: PackingConfig) -> tuple[Ints, ...]:
    """What is left over, spread so that no rank waits while another works; as it is where that does not fit."""
    samples = np.concatenate(packs)
    spread_out = None
    if config.mode == "pack":
        spread_out = spread(loads.costs[samples], loads.sizes[samples], config.packs_per_step, config.token_budget)
    if spread_out is not None:
        packs = [samples[np.array(pack, np.int64)] for pack in spread_out]
    idle = [np.empty(0, np.int64)] * (config.packs_per_step - len(packs))
    return (*packs, *idle)
