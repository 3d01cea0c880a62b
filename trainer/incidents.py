"""What goes wrong in a training without ending it: damaged samples, gradients that are too large or not finite."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from schemas import ConfigError
from trainer.batch import Batch
from trainer.config import TrainConfig
from trainer.data import RankStep
from trainer.distributed import Ranks
from trainer.guard import Guard
from trainer.held_out import sample_losses
from trainer.model.ulysses import SequenceGroup
from trainer.run_folder import BAD, GUARD, RunFolder

_MOST_SKIPPED = 10
"""Updates in a row whose gradients are not finite before the run ends."""
_MOST_NAMED = 8
"""Clips that are named of a step whose gradient was too large."""


class Incidents:
    """Counts them, writes them down, and ends a run that has too many.

    All ranks tell it of each step.

    Args:
        config: The run's.
        folder: The run's.
        ranks: This process among all.
        sequence: The ranks that share this one's sequences; the first of them speaks for all.
    """

    def __init__(self, config: TrainConfig, folder: RunFolder, ranks: Ranks, sequence: SequenceGroup | None) -> None:
        self._config, self._folder, self._ranks, self._sequence = config, folder, ranks, sequence
        self._speaks = sequence is None or sequence.rank == 0
        self._guard = Guard()
        self._num_read = self._num_bad = self._num_skipped = 0

    @property
    def limit(self) -> float:
        """The norm to which the next gradients are scaled down."""
        return self._guard.limit(self._config.guard)

    def to_json(self) -> dict[str, Any]:
        """What the next steps depend on."""
        return {"guard": self._guard.to_json(), "num_read": self._num_read, "num_bad": self._num_bad}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `to_json` gave."""
        self._guard = Guard(**state["guard"])
        self._num_read, self._num_bad = state["num_read"], state["num_bad"]

    def samples(self, step: int, work: RankStep) -> frozenset[str]:
        """Write down which samples of a step were left out, on any rank; give their clips.

        Raises:
            ConfigError: They have become too many.
        """
        self._num_read += len(work.plan.samples)
        own = [(bad.clip_id, bad.reason) for bad in work.bad if self._speaks]
        if not self._ranks.sums(len(own))[0]:
            return frozenset()
        found = [each for part in self._ranks.gather(own) for each in part]
        self._num_bad += len(found)
        if self._ranks.is_first:
            for clip_id, reason in found:
                self._folder.append(BAD, {"step": step, "clip_id": clip_id, "reason": reason})
        most = self._config.data.max_bad_ratio
        # One alone is no share yet.
        if self._num_bad > max(most * self._num_read, 1 if most else 0):
            raise ConfigError(
                f"data.max_bad_ratio: {self._num_bad} of {self._num_read} samples read are damaged, more than "
                f"{most:g}; the last is {found[-1][0]}: {found[-1][1]}"
            )
        return frozenset(clip_id for clip_id, _ in found)

    def gradient(self, step: int, norm: float, batches: Sequence[Batch], losses: Sequence[torch.Tensor]) -> None:
        """Learn from the norm of a step, or write down which clips were behind one that is over the limit.

        Args:
            step: From 1.
            norm: The same on all ranks.
            batches: What this rank worked on.
            losses: Of each of its tokens.

        Raises:
            ConfigError: No update has been possible for a while.
        """
        config, limit = self._config.guard, self.limit
        if not self._guard.is_over(norm, config):
            self._guard = self._guard.after(norm, config)
            self._num_skipped = 0
            return
        own = [
            (loss / max(count, 1), example.clip_id, example.time, example.task.value)
            for batch, part in zip(batches, losses, strict=True)
            for example, loss, count in sample_losses(batch, part, self._sequence)
            if self._speaks
        ]
        worst = sorted((each for part in self._ranks.gather(own) for each in part), reverse=True)[:_MOST_NAMED]
        if self._ranks.is_first:
            named = [dict(zip(("loss", "clip_id", "time", "task"), each, strict=True)) for each in worst]
            self._folder.append(GUARD, {"step": step, "grad_norm": norm, "grad_limit": limit, "worst": named})
        self._num_skipped = 0 if math.isfinite(norm) else self._num_skipped + 1
        if self._num_skipped == _MOST_SKIPPED:
            raise ConfigError(
                f"step {step}: the gradients of {_MOST_SKIPPED} steps in a row are not finite; take a lower "
                f"optimizer.learning_rate than {self._config.optimizer.learning_rate:g}"
            )
