"""Which clips share a shard: the leaves of a binary tree over the bits of clip ids.

Ids are digests, so every half of their range holds about half of the clips. A range whose clips are too large for one
shard is halved, and so on. So a shard holds between about a quarter of the wanted size and all of it; which clips are
in it depends on the clips alone and not on the order in which they came; a new clip changes one shard, or splits it.

A range has the number of its node, counted as in a heap: the whole is 0, its halves are 1 and 2, and those of k are
2k + 1 and 2k + 2. So a number is never used for two ranges, and a shard that was split leaves a gap.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

ID_BITS = 128


@dataclass(frozen=True, slots=True)
class Leaf:
    """The clips of one shard: `ids[start:stop]` of those that were laid out."""

    number: int
    start: int
    stop: int

    @property
    def file_name(self) -> str:
        """What its shard is called in its set."""
        return f"{self.number:06d}.tar"


def leaves(ids: Sequence[str], sizes: Sequence[int], target_bytes: int) -> Iterator[Leaf]:
    """Lay clips out, in order of their ids.

    Args:
        ids: Of clips, 32 hexadecimal digits each, ascending and each once.
        sizes: Of their samples, in bytes.
        target_bytes: A shard is at most so large, unless one clip is larger.
    """
    ends = np.concatenate([[0], np.cumsum(np.asarray(sizes, np.int64))])
    # Node, its first id, and how many bits of ids are left below it; the left half is taken up first.
    waiting = [(0, 0, ID_BITS, 0, len(ids))]
    while waiting:
        number, low, bits, start, stop = waiting.pop()
        if stop == start:
            continue
        if stop - start == 1 or ends[stop] - ends[start] <= target_bytes:
            yield Leaf(number, start, stop)
            continue
        middle = low + (1 << (bits - 1))
        cut = bisect_left(ids, f"{middle:032x}", start, stop)
        waiting.append((2 * number + 2, middle, bits - 1, cut, stop))
        waiting.append((2 * number + 1, low, bits - 1, start, cut))
