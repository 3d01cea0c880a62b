"""The learning rate of every step."""

from __future__ import annotations


def learning_rate(step: int, *, peak: float, warmup_steps: int, num_steps: int, decay_ratio: float) -> float:
    """Up a line, level, and down a line to 0.

    Args:
        step: From 0.
        peak: The level.
        warmup_steps: Over which it rises.
        num_steps: Of the whole training.
        decay_ratio: Share of the steps, at the end, over which it falls.
    """
    rising = (step + 1) / warmup_steps if step < warmup_steps else 1.0
    falling_steps = decay_ratio * num_steps
    falling = min(1.0, (num_steps - step) / falling_steps) if falling_steps else 1.0
    return peak * min(rising, falling)
