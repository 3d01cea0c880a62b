"""The loss on videos that are never trained on, by time on the path, by size and by task."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from pipeline.shards import ShardError, ShardStore
from schemas import MediaError, digest
from trainer.batch import Batch, collate, idle_batch
from trainer.config import TrainConfig
from trainer.distributed import Ranks
from trainer.examples import Choice, Example, grid_of, make_example, read_stored
from trainer.flow import token_losses
from trainer.linear import LinearPredictor, fit_linear
from trainer.model.dit import Packed
from trainer.model.patchify import patchify
from trainer.model.ulysses import SequenceGroup, whole
from trainer.packing import bits, hashes_of, uniforms
from trainer.packing.best_fit import best_fit
from trainer.sample_rows import SampleRows, read_captions
from trainer.tasks import draw_task

_FITTED_SAMPLES = 256
"""By which the linear predictor is fitted: mean and covariance of a patch are known well by then."""
_EPOCH = -1
"""In the place of an epoch: what is drawn for a measurement is always the same, and not what any step draws."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One sample at one time."""

    index: int
    time: float


def size_class(num_tokens: int) -> str:
    """Sizes that are counted together: tokens up to the next power of two."""
    return f"<={2 ** math.ceil(math.log2(max(num_tokens, 1)))}"


def trials(rows: SampleRows, config: TrainConfig) -> list[Trial]:
    """Which samples are measured at which times; the same ones whatever else the dataset holds."""
    order = np.argsort(bits(rows.hashes, config.seed, "held_out"), kind="stable")[: config.held_out.num_samples]
    count = config.held_out.num_times
    return [Trial(int(index), (k + 0.5) / count) for index in order for k in range(count)]


Predictor = Callable[[Packed], torch.Tensor]
"""A model in whatever stands around it."""


class HeldOut:
    """The measurement.

    Args:
        store: The dataset's shards.
        rows: Samples that are never trained on.
        config: The run's.
        sequence: The ranks that share this one's sequences; None where each has its own.
        patch_channels: Numbers in a patch of the latent.
        text_width: Numbers in a token of the text encoder.
    """

    def __init__(
        self,
        store: ShardStore,
        rows: SampleRows,
        config: TrainConfig,
        sequence: SequenceGroup | None,
        *,
        patch_channels: int,
        text_width: int,
    ) -> None:
        self._store, self._rows, self._config, self._sequence = store, rows, config, sequence
        self._channels, self._text_width = patch_channels, text_width
        self._trials = trials(rows, config)

    def measure(self, model: Predictor, ranks: Ranks) -> dict[str, Any] | None:
        """Losses of all trials, all ranks together, with the weights that the model shows; None without trials."""
        if not self._trials:
            return None
        cells: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        with torch.no_grad():
            for batch in self._batches(ranks):
                self._add(cells, batch, model(batch.packed))
        joined: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for part in ranks.gather(dict(cells)):
            for key, (loss, count) in part.items():
                joined[key][0] += loss
                joined[key][1] += count
        return summary(joined)

    def _add(self, cells: dict[str, list[float]], batch: Batch, said: torch.Tensor) -> None:
        flow, time = self._config.flow, batch.time_L1
        losses = token_losses(said, batch.clean_LP, batch.noise_LP, time, flow) * batch.weight_L
        tells = self._sequence is None or self._sequence.rank == 0
        for example, loss, count in sample_losses(batch, losses, self._sequence):
            if tells:
                cell = cells[f"{example.time:.4f} {size_class(example.grid.num_tokens)} {example.task}"]
                cell[0] += loss / count
                cell[1] += 1

    def _batches(self, ranks: Ranks) -> Iterator[Batch]:
        """This rank's share, as many for each."""
        captions = read_captions(self._rows, self._config.data.captions, self._config.seed, _EPOCH)
        tokens = self._rows.tokens(self._config.model.patch) + captions.num_tokens
        sizes = np.array([int(tokens[trial.index]) for trial in self._trials])
        packs = best_fit(sizes, max(self._config.packing.token_budget, int(sizes.max())))
        together = self._config.engine.sequence_ranks
        team, num_teams = ranks.rank // together, ranks.count // together
        for turn in range(-(-len(packs) // num_teams)):
            place = turn * num_teams + team
            members = packs[place] if place < len(packs) else []
            found = [self._example(self._trials[k], captions.kinds[self._trials[k].index]) for k in members]
            examples = [example for example in found if example is not None]
            if examples:
                batch = collate(examples, self._text_width, together)
            else:
                batch = idle_batch(self._channels, self._text_width, together)
            yield batch.own(self._sequence).to(ranks.device)

    def _example(self, trial: Trial, kind: str | None) -> Example | None:
        """A trial made ready; None where its sample is damaged, which the counts then show."""
        config = self._config
        row = self._rows.row(trial.index)
        grid = grid_of(row, config.model.patch)
        place = float(uniforms(hashes_of([row.clip_id]), config.seed, "held_out", trial.time)[0])
        seed = int(digest([config.seed, "held_out", row.clip_id, trial.time])[:15], 16)
        choice = Choice(trial.time, draw_task(config.tasks, grid.frames, place), seed)
        try:
            stored = read_stored(self._store, row, kind if self._text_width else None, self._text_width)
        except (ShardError, MediaError):
            return None
        return make_example(stored, choice, config.model)


def linear_predictor(store: ShardStore, rows: SampleRows, config: TrainConfig) -> LinearPredictor | None:
    """The best linear predictor by some of the samples that are trained on; None where none can be read.

    Args:
        store: The dataset's shards.
        rows: Samples that are trained on.
        config: The run's.
    """

    def patches() -> Iterator[torch.Tensor]:
        for index in np.argsort(bits(rows.hashes, config.seed, "linear"), kind="stable")[:_FITTED_SAMPLES]:
            try:
                stored = read_stored(store, rows.row(int(index)), None, 0)
            except (ShardError, MediaError):
                # The training counts it when it meets it.
                continue
            yield patchify(stored.latent_CFHW, config.model.patch)

    return fit_linear(patches(), config.flow)


def sample_losses(
    batch: Batch, losses: torch.Tensor, sequence: SequenceGroup | None
) -> Iterator[tuple[Example, float, float]]:
    """Each sample of a batch with the sum of its tokens' losses, and of how many tokens.

    Args:
        batch: This rank's part of it.
        losses: Of this rank's tokens, 0 for given ones.
        sequence: The ranks that share the batch; all of them must ask.
    """
    starts = batch.packed.video.starts_S.tolist()
    sums, counts = (whole(values, sequence) for values in (losses, batch.weight_L))
    for example, (start, end) in zip(batch.examples, pairwise(starts), strict=False):
        yield example, float(sums[start:end].sum()), float(counts[start:end].sum())


def summary(cells: Mapping[str, list[float]]) -> dict[str, Any]:
    """Means by time, by size, by task, and by all three."""
    groups: dict[str, dict[str, list[float]]] = {name: defaultdict(lambda: [0.0, 0.0]) for name in _GROUPS}
    for key, (loss, count) in cells.items():
        for name, value in zip(_GROUPS, key.split(" "), strict=True):
            groups[name][value][0] += loss
            groups[name][value][1] += count
    total, number = (sum(cell[k] for cell in cells.values()) for k in (0, 1))
    means = {
        f"by_{name}": {value: loss / count for value, (loss, count) in sorted(group.items())}
        for name, group in groups.items()
    }
    listed = [
        {**dict(zip(_GROUPS, key.split(" "), strict=True)), "loss": loss / count, "num_trials": int(count)}
        for key, (loss, count) in sorted(cells.items())
    ]
    return {"loss": total / number if number else None, "num_trials": int(number), **means, "cells": listed}


_GROUPS = ("time", "size", "task")
