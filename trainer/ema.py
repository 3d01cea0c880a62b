"""The running mean of the weights, kept in fp32 beside ZeRO's own partitions: each rank has its part and no more."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

import torch

from trainer.engine import Engine, Fragment


class Ema:
    """The mean of partitions that change from step to step.

    Args:
        partitions: ZeRO's fp32 partitions on this rank; the mean starts as they are.
        decay: Of the mean a step.
    """

    def __init__(self, partitions: Sequence[torch.Tensor], decay: float) -> None:
        self._decay = decay
        self._means = {flat: flat.detach().clone() for flat in partitions}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Let the mean follow, after a step counted from 1; faster at first, when there is little to keep."""
        decay = min(self._decay, (1 + step) / (10 + step))
        for flat, mean in self._means.items():
            mean.lerp_(flat.detach(), 1 - decay)

    def shown_by(self, engine: Engine) -> AbstractContextManager[None]:
        """Let an engine run with the mean in the place of its weights."""
        return engine.showing(self._means)

    def of(self, fragment: Fragment) -> torch.Tensor:
        """The mean of a part of a parameter, (length,); shares its memory."""
        return fragment.of(self._means[fragment.flat])
