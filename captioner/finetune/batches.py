"""The clips of every step, a pure function of the clips, a seed and the step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from captioner.finetune.config import PhaseConfig
from captioner.finetune.pairs import CaptionPair
from schemas import digest
from schemas.caption import CaptionKind

Shape = tuple[int, int, int]
"""Frames, height and width that the model sees."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The clips of one step."""

    epoch: int
    indexes: tuple[int, ...]
    """Into the list of clips."""


class BatchPlan:
    """Which clips each step learns from: every clip once an epoch, those of one shape together.

    Clips of one shape fill a batch without padding. The last batch of a shape may be smaller than the others;
    none is left out, and none is seen twice in an epoch.

    Args:
        shapes: Of each clip.
        batch_size: Most clips of a batch.
        seed: Of the order.
    """

    def __init__(self, shapes: Sequence[Shape], batch_size: int, seed: int) -> None:
        self._groups: dict[Shape, list[int]] = {}
        for index, shape in enumerate(shapes):
            self._groups.setdefault(shape, []).append(index)
        self._batch_size = batch_size
        self._seed = seed
        self.steps_per_epoch = sum(-(-len(group) // batch_size) for group in self._groups.values())
        self._epoch = -1
        self._batches: list[Batch] = []

    def __getitem__(self, step: int) -> Batch:
        """The batch of a step, from 0 on without end."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._drawn(epoch)
        return self._batches[place]

    def _drawn(self, epoch: int) -> list[Batch]:
        rng = np.random.default_rng((self._seed, epoch))
        batches = []
        for shape in sorted(self._groups):
            order = rng.permutation(self._groups[shape]).tolist()
            starts = range(0, len(order), self._batch_size)
            batches += [Batch(epoch, tuple(order[start : start + self._batch_size])) for start in starts]
        return [batches[index] for index in rng.permutation(len(batches))]


Share = list[list[tuple[int, bool]]]
"""A rank's micro-batches of clips, and whether each counts: those that fill a rank up do not."""


def shares(indexes: Sequence[int], num_ranks: int, micro_batch_size: int) -> list[Share]:
    """A batch dealt out to ranks, to each as many micro-batches of as many clips.

    Args:
        indexes: Of the batch's clips; at least one.
        num_ranks: How many ranks.
        micro_batch_size: Most clips of a micro-batch.
    """
    num_micro = -(-len(indexes) // (num_ranks * micro_batch_size))
    size = -(-len(indexes) // (num_ranks * num_micro))
    filled = [(index, True) for index in indexes]
    filled += [(indexes[0], False)] * (num_ranks * num_micro * size - len(indexes))
    own = [filled[rank::num_ranks] for rank in range(num_ranks)]
    return [[mine[start : start + size] for start in range(0, len(mine), size)] for mine in own]


def pick_text(pair: CaptionPair, phase: PhaseConfig, epoch: int, seed: int) -> str:
    """What is to be answered about a clip in an epoch of a phase.

    Args:
        pair: Has at least one of the phase's kinds.
        phase: How often each kind.
        epoch: Another draw each time.
        seed: Of the draw.
    """
    kinds = [kind for kind in phase.kinds if pair.texts.get(kind)]
    weights = np.array([phase.kinds[kind] for kind in kinds])
    first, second = _draws(seed, pair.span.clip_id, epoch)
    kind: CaptionKind = kinds[int(np.searchsorted(np.cumsum(weights) / weights.sum(), first, side="right"))]
    texts = pair.texts[kind]
    return texts[int(second * len(texts))]


def _draws(seed: int, clip_id: str, epoch: int) -> tuple[float, float]:
    """Two numbers, each evenly in [0, 1)."""
    bits = digest(["answer", seed, clip_id, epoch])
    return int(bits[:8], 16) / 2**32, int(bits[8:16], 16) / 2**32
