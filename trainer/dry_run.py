"""What a training would do, told without doing it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from trainer.config import TrainConfig
from trainer.memory import Memory, expected_memory
from trainer.model.flops import TRAINED_OVER_FORWARD
from trainer.packing import PlanFigures, plan_figures
from trainer.packing.best_fit import Ints
from trainer.prepare import check_fit, patch_channels, split
from trainer.run_folder import Pinned
from trainer.steps import Steps

_BAR = 40
"""Characters of the longest bar."""


@dataclass(frozen=True, slots=True)
class DryRun:
    """The first epoch of a run."""

    num_samples: int
    """To train on."""
    num_held_out: int
    num_parameters: int
    num_ranks: int
    tokens_a_step: int
    """Mean of the whole steps, text counted."""
    tflop_a_step: float
    """Of forward and backward passes, in 10^12."""
    text_share: float
    """Of all tokens, those of text."""
    figures: PlanFigures
    memory: Memory
    histogram: list[tuple[int, int]]
    """(tokens up to, samples), by powers of two."""

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """For a terminal."""
        figures, memory = self.figures, self.memory
        yield f"samples     {self.num_samples:,} to train on, {self.num_held_out:,} held out"
        most = max(count for _, count in self.histogram)
        for limit, count in self.histogram:
            yield f"  <= {limit:>9,} tokens  {count:>10,}  {'#' * -(-count * _BAR // most)}"
        yield f"model       {self.num_parameters / 1e6:,.1f} M parameters, {self.tflop_a_step:,.3g} TFLOP a step"
        last = f", the last one of {figures.last_step_samples} samples" if figures.last_step_samples else ""
        text = f"{self.text_share:.1%} text"
        yield f"epoch       {figures.num_steps:,} steps of {self.tokens_a_step:,} tokens ({text}){last}"
        yield f"waste       {figures.padding_ratio:.2%} of the packs is empty; {self.num_ranks} ranks are busy " + (
            f"{figures.busy_ratio:.1%} of the time"
        )
        parts = ", ".join(f"{name} {_gib(size)}" for name, size in asdict(memory).items())
        yield f"memory      about {_gib(memory.total)} a rank: {parts}"


def dry_run(config: TrainConfig, pinned: Pinned, num_ranks: int) -> DryRun:
    """Plan the first epoch.

    Raises:
        ConfigError: The run would lose samples without saying so.
    """
    learnt, held = split(pinned.rows, config)
    check_fit(learnt, config, num_ranks, reads_text=pinned.text_width > 0)
    channels = patch_channels(config, pinned)
    steps = Steps(learnt, config, patch_channels=channels, text_width=pinned.text_width)
    epoch = steps.epoch(0)
    loads, plan = epoch.loads, epoch.plan
    packs = [pack for step in plan.steps for pack in step]
    heaviest = max(packs, key=lambda pack: int(loads.sizes[pack].sum()))
    num_parameters = _count_parameters(config, channels, pinned.text_width)
    whole = max(plan.num_whole_steps, 1)
    seen = [steps.seen(steps.step(step)) for step in range(whole)]
    return DryRun(
        num_samples=len(learnt),
        num_held_out=len(held),
        num_parameters=num_parameters,
        num_ranks=num_ranks,
        tokens_a_step=round(sum(step.num_tokens for step in seen) / whole),
        tflop_a_step=TRAINED_OVER_FORWARD * sum(step.cost for step in seen) / whole / 1e12,
        text_share=float(loads.text_tokens.sum() / loads.sizes.sum()),
        figures=plan_figures(plan, loads, config.packing.token_budget, num_ranks),
        memory=expected_memory(
            config,
            num_parameters=num_parameters,
            num_ranks=num_ranks,
            tokens=int(loads.tokens[heaviest].sum()),
            text_tokens=int(loads.text_tokens[heaviest].sum()),
        ),
        histogram=_histogram(loads.sizes),
    )


def _count_parameters(config: TrainConfig, channels: int, text_width: int) -> int:
    import torch

    from trainer.model.dit import DiT, DiTParams

    with torch.device("meta"):
        model = DiT(DiTParams.of(config.model, patch_channels=channels, text_width=text_width))
    return sum(parameter.numel() for parameter in model.parameters())


def _histogram(sizes: Ints) -> list[tuple[int, int]]:
    powers = np.ceil(np.log2(np.maximum(sizes, 1))).astype(np.int64)
    counts = np.bincount(powers)
    return [(2**power, int(counts[power])) for power in range(int(powers.min()), len(counts))]


def _gib(size: float) -> str:
    return f"{size / 2**30:.2f} GiB" if size >= 2**28 else f"{size / 2**20:.1f} MiB"
