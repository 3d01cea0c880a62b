"""Rectified flow: the straight path from a clean latent to noise, and what the model says of it.

A clean latent `x` and noise `e` are mixed at a time `t` in [0, 1], 1 pure noise: `x_t = (1 - t) x + t e`, and
`v = dx_t / dt = e - x`. The model says `v` (velocity), `x` (the clean patches) or `a = cos(f) e - sin(f) x` (the
velocity along the angle `f = atan(t / (1 - t))`); each gives the others.
Source: Liu et al. 2022, "Flow straight and fast", equation 1; Esser et al. 2024 (SD3), section 3; for the angle
Salimans and Ho 2022, "Progressive distillation for fast sampling of diffusion models", appendix D.
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


def angular_of_velocity(mixed: torch.Tensor, velocity: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
    """The velocity along the angle, from the one along the straight path."""
    length = _length(time)
    return length * velocity - (2 * time - 1) / length * mixed


def velocity_of_angular(mixed: torch.Tensor, angular: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
    """The velocity along the straight path, from the one along the angle."""
    length = _length(time)
    return (angular + (2 * time - 1) / length * mixed) / length


def _length(time: torch.Tensor) -> torch.Tensor:
    """By which the mixture of two things of variance 1 that know nothing of each other is shorter than they."""
    return ((1 - time).square() + time.square()).sqrt()


def velocity_of_said(mixed: torch.Tensor, said: torch.Tensor, time: torch.Tensor, config: FlowConfig) -> torch.Tensor:
    """The velocity that is meant by what a model says."""
    if config.prediction == "clean":
        return velocity_of_clean(mixed, said, time)
    return said if config.prediction == "velocity" else velocity_of_angular(mixed, said, time)


def said_of_clean(mixed: torch.Tensor, clean: torch.Tensor, time: torch.Tensor, config: FlowConfig) -> torch.Tensor:
    """What a model says that takes this for the clean latent of a mixture."""
    return _said(mixed, clean, velocity_of_clean(mixed, clean, time), time, config)


def _said(
    mixed: torch.Tensor, clean: torch.Tensor, velocity: torch.Tensor, time: torch.Tensor, config: FlowConfig
) -> torch.Tensor:
    """Of a clean latent and the velocity that belongs to it, what the config asks for."""
    if config.prediction == "clean":
        return clean
    return velocity if config.prediction == "velocity" else angular_of_velocity(mixed, velocity, time)


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
    wanted = _said(mixed, clean, velocity(clean, noise), time, config)
    if config.loss == "velocity":
        said, wanted = (velocity_of_said(mixed, each, time, config) for each in (said, wanted))
    return (said - wanted).square().mean(-1)
