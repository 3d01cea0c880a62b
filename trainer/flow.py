"""Rectified flow: the straight path from a clean latent to noise, and what the model says of it.

A clean latent `x` and noise `e` are mixed at a time `t` in [0, 1], 1 pure noise: `x_t = (1 - t) x + t e`, and
`v = dx_t / dt = e - x`. The model says `v` (velocity) or `x` (the clean patches); either gives the other.
Source: Liu et al. 2022, "Flow straight and fast", equation 1; Esser et al. 2024 (SD3), section 3.
"""

from __future__ import annotations

import torch

from trainer.times import FlowConfig

MIN_TIME = 0.05
"""Below it the way from clean patches to a velocity divides by this and not by the time. Source: Li and He 2025, "Back
to basics: let denoising generative models denoise", section 4."""


def noised(clean: torch.Tensor, noise: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
    """The mixture at a time; `time` broadcasts against both."""
    return (1 - time) * clean + time * noise


def velocity(clean: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """The direction from clean to noise."""
    return noise - clean


def clean_of_velocity(mixed: torch.Tensor, velocity: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
    """The clean latent to which a velocity at a mixture points back."""
    return mixed - time * velocity


def velocity_of_clean(mixed: torch.Tensor, clean: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
    """The velocity at a mixture whose clean latent this is; below `MIN_TIME` a shorter one."""
    return (mixed - clean) / time.clamp(min=MIN_TIME)


def token_losses(
    said: torch.Tensor, clean: torch.Tensor, noise: torch.Tensor, time: torch.Tensor, config: FlowConfig
) -> torch.Tensor:
    """The squared error of each token, averaged over its numbers, float32 (L,).

    Args:
        said: The model's output, (L, P).
        clean: (L, P).
        noise: (L, P).
        time: (L, 1), of each token.
        config: What the model says, and in what the error is taken.
    """
    said, clean, noise = said.float(), clean.float(), noise.float()
    mixed = noised(clean, noise, time)
    if config.prediction == "velocity":
        error = said - velocity(clean, noise)
    elif config.loss == "prediction":
        error = said - clean
    else:
        error = velocity_of_clean(mixed, said, time) - velocity_of_clean(mixed, clean, time)
    return error.square().mean(-1)
