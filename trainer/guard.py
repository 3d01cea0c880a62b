"""The limit of a step's gradient: what earlier gradients were, and not a number somebody guessed."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Self

from trainer.config import GuardConfig


@dataclass(frozen=True, slots=True)
class Guard:
    """Running mean and variance of the norms of gradients.

    Source: Open-Sora Plan 1.5, its adaptive gradient clipping.
    """

    mean: float = 0.0
    variance: float = 0.0
    known: int = 0
    """Norms that entered."""

    def limit(self, config: GuardConfig) -> float:
        """The norm to which the next gradients are scaled down."""
        if self.known < config.known_steps:
            return config.max_norm
        return self.mean + config.sigmas * math.sqrt(self.variance)

    def is_over(self, norm: float, config: GuardConfig) -> bool:
        """Whether a norm is over the limit that its step had; never as long as too few are known."""
        return not math.isfinite(norm) or (self.known >= config.known_steps and norm > self.limit(config))

    def after(self, norm: float, config: GuardConfig) -> Self:
        """The same after one more step."""
        if self.is_over(norm, config):
            return self
        # At first the plain mean over what is known: the running one would remember its arbitrary start.
        weight = max(1 - config.decay, 1 / (self.known + 1))
        delta = norm - self.mean
        mean = self.mean + weight * delta
        variance = (1 - weight) * (self.variance + weight * delta * delta)
        return type(self)(mean, variance, self.known + 1)

    def to_json(self) -> dict[str, float]:
        """All of it."""
        return asdict(self)
