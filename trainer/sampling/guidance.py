"""Classifier-free guidance over a pack, sample by sample."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from trainer.sampling.config import GuidanceConfig

# L tokens of all samples, P numbers in a patch


def is_on(config: GuidanceConfig, time: float) -> bool:
    """Whether a sample is guided at a time."""
    low, high = config.interval
    return config.text != 1 and low <= time <= high


def guided(with_text: torch.Tensor, without: torch.Tensor, config: GuidanceConfig) -> torch.Tensor:
    """The velocity of one sample, drawn away from what the model says without the prompt, (L, P).

    Args:
        with_text: Velocity of the tokens that are made, (L, P).
        without: The same without a prompt.
        config: How far, and how much of the deviation is given back.
    """
    pushed = without + config.text * (with_text - without)
    if not config.rescale:
        return pushed
    ratio = with_text.std() / pushed.std().clamp(min=1e-12)
    return pushed * (config.rescale * ratio + 1 - config.rescale)


def guide(
    with_text_LP: torch.Tensor,
    without_LP: torch.Tensor,
    made_L: torch.Tensor,
    lengths: Sequence[int],
    times: Sequence[float],
    config: GuidanceConfig,
) -> torch.Tensor:
    """The velocities of a pack, (L, P); samples outside of the interval stay as the prompt has them.

    Args:
        with_text_LP: As the model says.
        without_LP: Without prompts.
        made_L: bool, tokens that are made and not given.
        lengths: Tokens of each sample.
        times: Of each sample, 1 pure noise.
        config: How.
    """
    found = with_text_LP.clone()
    start = 0
    for length, time in zip(lengths, times, strict=True):
        if is_on(config, time):
            here = torch.arange(start, start + length, device=made_L.device)[made_L[start : start + length]]
            found[here] = guided(with_text_LP[here], without_LP[here], config)
        start += length
    return found
