"""Which packs make a step, and which of them a rank works on, so that ranks need about the same time."""

from __future__ import annotations

import heapq

import numpy as np

from trainer.packing.best_fit import Ints
from trainer.packing.draws import Floats

IDLE = -1
"""In the place of a pack: a rank has nothing to do."""


def steps_of(costs: Floats, packs_per_step: int, window: int) -> tuple[Ints, Ints]:
    """Steps of packs that cost alike, and the packs left over.

    Within a window of packs, those that are neighbours by cost make a step. Which packs lie in a window depends on
    their order alone.

    Args:
        costs: float64 (P,), of each pack in order.
        packs_per_step: Packs of a step.
        window: Steps of a window.

    Returns:
        int64 (steps, packs_per_step), and int64 (left over,): those of the last, incomplete step.
    """
    whole = len(costs) - len(costs) % packs_per_step
    sorted_packs = [
        start + np.argsort(costs[start : min(start + window * packs_per_step, whole)], kind="stable")
        for start in range(0, whole, window * packs_per_step)
    ]
    joined = np.concatenate(sorted_packs) if sorted_packs else np.empty(0, np.int64)
    return joined.reshape(-1, packs_per_step).astype(np.int64), np.arange(whole, len(costs))


def spread(costs: Floats, sizes: Ints, num_packs: int, capacity: int) -> list[list[int]] | None:
    """Samples over a number of packs of about equal cost, some without any where samples are few.

    Args:
        costs: float64 (N,), of each sample.
        sizes: int64 (N,), tokens of each sample.
        num_packs: How many packs.
        capacity: Most tokens of a pack.

    Returns:
        Indices of the samples of each pack; None where they did not fit.
    """
    packs: list[list[int]] = [[] for _ in range(num_packs)]
    rooms = np.full(num_packs, capacity, np.int64)
    totals = np.zeros(num_packs)
    for index in np.argsort(-costs, kind="stable").tolist():
        fits = np.flatnonzero(rooms >= sizes[index])
        if not len(fits):
            return None
        pack = int(fits[np.argmin(totals[fits])])
        packs[pack].append(index)
        rooms[pack] -= sizes[index]
        totals[pack] += costs[index]
    return packs


def share(costs: Floats, num_ranks: int) -> Ints:
    """The packs of one step over ranks: the dearest first, each to the rank that has least to do.

    Args:
        costs: float64 (P,), of the step's packs.
        num_ranks: Ranks.

    Returns:
        int64 (num_ranks, packs a rank): positions in the step, `IDLE` where there are none left.
    """
    each = -(-len(costs) // num_ranks)
    shared = np.full((num_ranks, each), IDLE, np.int64)
    ranks = [(0.0, 0, rank) for rank in range(num_ranks)]
    for place in np.argsort(-costs, kind="stable").tolist():
        total, count, rank = heapq.heappop(ranks)
        shared[rank, count] = place
        if count + 1 < each:
            heapq.heappush(ranks, (total + float(costs[place]), count + 1, rank))
    return shared
