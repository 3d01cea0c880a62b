"""Packs of samples of one shape: what `bucket` mode trains on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainer.packing.best_fit import Ints


def packs_of_one_shape(shapes: Ints, sizes: Ints, capacity: int, batch_size: int | None) -> Iterator[list[int]]:
    """Packs in the order of their first sample; the last of a shape may hold fewer, and none is left out.

    Args:
        shapes: int64 (N,), a number for each shape, in the order in which samples come.
        sizes: int64 (N,), tokens.
        capacity: Most tokens of a pack.
        batch_size: Most samples of a pack; no limit without it.
    """
    packs: list[list[int]] = []
    for members in _groups(shapes):
        room = 0
        for index, size in zip(members.tolist(), sizes[members].tolist(), strict=True):
            is_over = size > room or len(packs[-1]) == batch_size
            if index == members[0] or is_over:
                packs.append([])
                room = capacity
            packs[-1].append(index)
            room -= size
    yield from sorted(packs, key=lambda pack: pack[0])


def _groups(shapes: Ints) -> list[Ints]:
    """Indices of each shape, in order."""
    order = np.argsort(shapes, kind="stable")
    edges = np.flatnonzero(np.diff(shapes[order])) + 1
    return [group for group in np.split(order, edges) if len(group)]
