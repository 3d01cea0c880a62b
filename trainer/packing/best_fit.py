"""Best-fit-decreasing: samples of different sizes into as few packs of one capacity as it finds."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

_FULL_RATIO = 0.99
"""A pack less full than this goes back, so that smaller samples of the next buffer can fill it."""
_MAX_RETURNS = 4
"""Times that a sample goes back before its pack is taken as it is."""


def best_fit(sizes: Ints, capacity: int) -> list[list[int]]:
    """Indices of the samples of each pack.

    Each sample, the largest first, goes where it leaves the least room; where it fits nowhere, it opens a pack.

    Args:
        sizes: int64 (N,), each in [1, capacity].
        capacity: Of a pack.

    Raises:
        ValueError: A sample is larger than a pack.
    """
    if len(sizes) and int(sizes.max()) > capacity:
        raise ValueError(f"a sample of {int(sizes.max())} does not fit into {capacity}")
    packs: list[list[int]] = []
    # Room and pack in one number: sorted by room, then by age of the pack.
    shift = max(len(sizes), 1)
    rooms: list[int] = []
    order = np.argsort(-sizes, kind="stable")
    for index, size in zip(order.tolist(), sizes[order].tolist(), strict=True):
        place = bisect_left(rooms, size * shift)
        if place < len(rooms):
            room, pack = divmod(rooms.pop(place), shift)
        else:
            room, pack = capacity, len(packs)
            packs.append([])
        packs[pack].append(index)
        insort(rooms, (room - size) * shift + pack)
    return packs


def packs_in_order(sizes: Ints, capacity: int, buffer: int) -> Iterator[list[int]]:
    """Packs of samples that come in a given order, looking at so many at a time.

    What a buffer leaves in packs that are not full waits for the next one, a few times at most.

    Args:
        sizes: int64 (N,) in the order in which samples come.
        capacity: Of a pack.
        buffer: Samples looked at together; 0 for all.
    """
    count = len(sizes)
    step = buffer or max(count, 1)
    waiting: list[int] = []
    returns = np.zeros(count, np.int64)
    taken = 0
    while taken < count or waiting:
        fresh = min(max(step - len(waiting), 1), count - taken)
        at_hand = np.array([*waiting, *range(taken, taken + fresh)], np.int64)
        taken += fresh
        waiting = []
        for pack in best_fit(sizes[at_hand], capacity):
            members = at_hand[pack]
            is_full = int(sizes[members].sum()) >= capacity * _FULL_RATIO
            if is_full or taken >= count or int(returns[members].max()) >= _MAX_RETURNS:
                yield members.tolist()
            else:
                returns[members] += 1
                waiting += members.tolist()
