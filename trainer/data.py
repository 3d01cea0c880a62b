"""Read the packs of a rank ahead of the step that needs them."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

from pipeline.shards import ShardError, ShardStore
from schemas import MediaError
from trainer.batch import Batch, collate, idle_batch
from trainer.config import TrainConfig
from trainer.examples import Example, draw_choice, grid_of, make_example, read_stored
from trainer.steps import StepPlan, Steps

_TRIES = 4
_FIRST_WAIT_S = 0.5
"""Between two tries of a read that a disk or a network did not answer; twice as long each time."""


@dataclass(frozen=True, slots=True)
class BadSample:
    """A sample that was left out of its step."""

    clip_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class RankStep:
    """What a rank works on in a step."""

    plan: StepPlan
    batches: tuple[Batch, ...]
    """As many for each rank; one without examples is there to keep step."""
    bad: tuple[BadSample, ...]


class PackReader:
    """The packs of one rank, step after step.

    A sample that is damaged is left out of its pack and told of; the others of the pack stay.

    Args:
        store: The dataset's shards.
        steps: What each step sees.
        config: The run's.
        rank: Which rank this is, or which group of ranks that share their sequences.
        num_ranks: Of how many.
        patch_channels: Numbers in a patch of the latent.
        text_width: Numbers in a token of the text encoder.
    """

    def __init__(
        self,
        store: ShardStore,
        steps: Steps,
        config: TrainConfig,
        *,
        rank: int,
        num_ranks: int,
        patch_channels: int,
        text_width: int,
    ) -> None:
        self._store = store
        self._steps = steps
        self._config = config
        self._rank, self._num_ranks = rank, num_ranks
        self._channels, self._text_width = patch_channels, text_width
        self._multiple = math.lcm(config.engine.sequence_ranks, config.packing.multiple)
        self._pool = ThreadPoolExecutor(config.data.readers, "reader")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def after(self, step: int) -> Iterator[RankStep]:
        """The steps from one on, some of them read ahead."""
        ahead: deque[tuple[StepPlan, list[Future[_Read]]]] = deque()
        for plan in self._steps.after(step):
            packs = plan.of_rank(self._rank, self._num_ranks)
            ahead.append((plan, [self._pool.submit(self._read, plan, pack.tolist()) for pack in packs]))
            if len(ahead) > self._config.data.steps_ahead:
                yield _done(*ahead.popleft())

    def _read(self, plan: StepPlan, pack: Sequence[int]) -> _Read:
        examples: list[Example] = []
        bad: list[BadSample] = []
        for index in pack:
            found = self._example(plan, index)
            if isinstance(found, BadSample):
                bad.append(found)
            else:
                examples.append(found)
        if not examples:
            return _Read(idle_batch(self._channels, self._text_width, self._multiple), tuple(bad))
        return _Read(collate(examples, self._text_width, self._multiple), tuple(bad))

    def _example(self, plan: StepPlan, index: int) -> Example | BadSample:
        config, epoch = self._config, plan.epoch
        row = self._steps.rows.row(index)
        kind = epoch.captions[index] if self._text_width else None
        choice = draw_choice(
            row, grid_of(row, config.model.patch), config.flow, config.tasks, config.seed, epoch.number
        )
        for attempt in range(_TRIES):
            try:
                return make_example(read_stored(self._store, row, kind, self._text_width), choice, config.model)
            except (ShardError, MediaError) as error:
                return BadSample(row.clip_id, str(error))
            except OSError:
                if attempt == _TRIES - 1:
                    raise
                time.sleep(_FIRST_WAIT_S * 2**attempt)
        raise AssertionError


@dataclass(frozen=True, slots=True)
class _Read:
    batch: Batch
    bad: tuple[BadSample, ...]


def _done(plan: StepPlan, packs: Sequence[Future[_Read]]) -> RankStep:
    read = [pack.result() for pack in packs]
    return RankStep(plan, tuple(each.batch for each in read), tuple(bad for each in read for bad in each.bad))
