"""Which samples every step of a run sees: a pure function of the pinned samples, the config and the step's number."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from schemas import digest
from trainer.config import TrainConfig
from trainer.model.flops import forward_flops
from trainer.packing import IDLE, EpochPlan, Loads, plan_epoch, share
from trainer.packing.best_fit import Ints
from trainer.sample_rows import SampleRows, read_captions


@dataclass(frozen=True, slots=True)
class Epoch:
    """Everything that is planned of an epoch."""

    number: int
    plan: EpochPlan
    loads: Loads
    captions: list[str | None]
    """The kind of caption of each sample; None for no text."""


@dataclass(frozen=True, slots=True)
class StepPlan:
    """What one step sees."""

    step: int
    epoch: Epoch
    packs: tuple[Ints, ...]
    """Indices of samples; some may be empty."""

    def of_rank(self, rank: int, num_ranks: int) -> list[Ints]:
        """The packs that a rank works on, an empty one where it has nothing to do; as many for each rank."""
        costs = np.array([float(self.epoch.loads.costs[pack].sum()) for pack in self.packs])
        nothing = np.empty(0, np.int64)
        return [nothing if place == IDLE else self.packs[place] for place in share(costs, num_ranks)[rank]]

    @property
    def samples(self) -> Ints:
        """Indices of all samples."""
        return np.concatenate(self.packs)


@dataclass(frozen=True, slots=True)
class Seen:
    """What of a step was really there."""

    clip_ids: list[str]
    """Sorted."""
    num_tokens: int
    """Video and text tokens."""
    cost: float
    """FLOPs of a forward pass."""


class Steps:
    """All steps of a run, epoch after epoch.

    Args:
        rows: The samples that are trained on.
        config: The run's.
        patch_channels: Numbers in a patch of the latent.
        text_width: Numbers in a token of the text encoder; 0 for a model that reads no text.
    """

    def __init__(self, rows: SampleRows, config: TrainConfig, *, patch_channels: int, text_width: int) -> None:
        self.rows = rows
        self._config = config
        self._channels = patch_channels
        self._text_width = text_width
        self._tokens = rows.tokens(config.model.patch)
        self._shapes = rows.shapes()
        self._starts = [0]
        self.epoch = lru_cache(maxsize=2)(self._plan)

    def _plan(self, number: int) -> Epoch:
        """Plan an epoch."""
        config = self._config
        captions = read_captions(self.rows, config.data.captions, config.seed, number)
        text_tokens = captions.num_tokens if self._text_width else np.zeros(len(self.rows), np.int64)
        costs = forward_flops(
            config.model, self._tokens, text_tokens, patch_channels=self._channels, text_width=self._text_width
        )
        loads = Loads(self.rows.hashes, self._tokens, text_tokens, costs, self._shapes)
        return Epoch(number, plan_epoch(loads, config.packing, config.seed, number), loads, captions.kinds)

    def step(self, step: int) -> StepPlan:
        """One step, counted from 0."""
        while self._starts[-1] <= step:
            self._starts.append(self._starts[-1] + len(self.epoch(len(self._starts) - 1).plan.steps))
        number = bisect_right(self._starts, step) - 1
        epoch = self.epoch(number)
        return StepPlan(step, epoch, epoch.plan.steps[step - self._starts[number]])

    def after(self, step: int) -> Iterator[StepPlan]:
        """All steps from one on, without end."""
        while True:
            yield self.step(step)
            step += 1

    def seen(self, plan: StepPlan, missing: frozenset[str] = frozenset()) -> Seen:
        """What a step sees, without the clips that could not be read."""
        clip_ids = self.rows.clip_ids
        kept = [index for index in plan.samples.tolist() if clip_ids[index] not in missing]
        loads = plan.epoch.loads
        return Seen(
            clip_ids=sorted(clip_ids[index] for index in kept),
            num_tokens=int(loads.sizes[kept].sum()),
            cost=float(loads.costs[kept].sum()),
        )

    def clip_ids(self, step: int) -> list[str]:
        """Which clips a step is to see, sorted."""
        return self.seen(self.step(step)).clip_ids


def clips_digest(clip_ids: list[str]) -> str:
    """What `steps.jsonl` tells of the clips of a step."""
    return digest(sorted(clip_ids))
