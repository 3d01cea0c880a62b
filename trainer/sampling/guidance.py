"""Classifier-free guidance over a pack, sample by sample."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from trainer.sampling.config import GuidanceConfig

# L tokens of all samples, P numbers in a patch


def is_on(config: GuidanceConfig, time: float) -> bool:
    """Whether a time lies where one guides."""
    low, high = config.interval
    return low <= time <= high


def guided(
    with_text: torch.Tensor, without: torch.Tensor, alone: torch.Tensor | None, config: GuidanceConfig
) -> torch.Tensor:
    """The velocity of one sample, drawn away from what the model says without what was asked, (L, P).

    Args:
        with_text: Velocity of the tokens that are made, (L, P).
        without: The same without a prompt.
        alone: The same without a prompt and without what is given; None where nothing is, or where it counts as it is.
        config: How far, and how much of the deviation is given back.
    """
    pushed = without + config.text * (with_text - without)
    if alone is not None:
        pushed = pushed + (config.image - 1) * (without - alone)
    if not config.rescale:
        return pushed
    ratio = with_text.std() / pushed.std().clamp(min=1e-12)
    return pushed * (config.rescale * ratio + 1 - config.rescale)


def guide(
    with_text_LP: torch.Tensor,
    without_LP: torch.Tensor,
    alone_LP: torch.Tensor | None,
    samples: Sequence[torch.Tensor],
    times: Sequence[float],
    config: GuidanceConfig,
) -> torch.Tensor:
    """The velocities of a pack, (L, P); samples outside of the interval stay as the prompt has them.

    Args:
        with_text_LP: As the model says.
        without_LP: Without prompts.
        alone_LP: Without prompts and without what is given.
        samples: Of each, the places of the tokens that are made.
        times: Of each sample, 1 pure noise.
        config: How.
    """
    found = with_text_LP.clone()
    for here, time in zip(samples, times, strict=True):
        if is_on(config, time):
            alone = None if alone_LP is None else alone_LP[here]
            found[here] = guided(with_text_LP[here], without_LP[here], alone, config)
    return found
