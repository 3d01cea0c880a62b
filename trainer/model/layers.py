"""The parts of a block: what the timestep does to tokens, what tokens are made of, the MLP."""

from __future__ import annotations

import math

import torch
from torch import nn

# L tokens, M text tokens, K conditions (a timestep each), D width, P numbers in a patch, T numbers in a text token

TIME_CHANNELS = 256
"""Of the sinusoids that a timestep is told by."""
_TIME_SCALE = 1000.0
"""Timesteps lie in [0, 1]; the sinusoids expect them up to here."""


def sinusoids(times_K: torch.Tensor, channels: int, longest: float = 10_000.0) -> torch.Tensor:
    """A number as waves of many lengths, float32 (K, channels): cosines, then sines.

    Source: Peebles and Xie 2022, `models.py: timestep_embedding`, after Nichol and Dhariwal's GLIDE.

    Args:
        times_K: Any numbers.
        channels: Even.
        longest: The longest wave is `2 pi` times it.
    """
    half = channels // 2
    waves = torch.exp(-math.log(longest) * torch.arange(half, dtype=torch.float32, device=times_K.device) / half)
    angles = times_K.float()[:, None] * waves
    return torch.cat((angles.cos(), angles.sin()), -1)


class TimeEmbedder(nn.Module):
    """Timesteps in [0, 1] to conditions (K, D)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter = nn.Linear(TIME_CHANNELS, width)
        self.leave = nn.Linear(width, width)

    def forward(self, times_K: torch.Tensor) -> torch.Tensor:
        """Embed."""
        waves = sinusoids(times_K * _TIME_SCALE, TIME_CHANNELS).to(self.enter.weight.dtype)
        found: torch.Tensor = self.leave(nn.functional.silu(self.enter(waves)))
        return found


class TextEmbedder(nn.Module):
    """Tokens of a text encoder (M, T) to the model's width (M, D); a learned one stands for no text.

    Args:
        text_width: T.
        width: D.
    """

    def __init__(self, text_width: int, width: int) -> None:
        super().__init__()
        self.enter = nn.Linear(text_width, width)
        self.leave = nn.Linear(width, width)
        self.nothing = nn.Parameter(torch.zeros(text_width))

    def forward(self, text_MT: torch.Tensor, is_nothing_M: torch.Tensor) -> torch.Tensor:
        """Embed; tokens where `is_nothing_M` is true are replaced by the learned one."""
        given = torch.where(is_nothing_M[:, None], self.nothing, text_MT.to(self.nothing.dtype))
        found: torch.Tensor = self.leave(nn.functional.gelu(self.enter(given), approximate="tanh"))
        return found


class Mlp(nn.Module):
    """Two layers with a GELU between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.enter = nn.Linear(width, hidden)
        self.leave = nn.Linear(hidden, width)

    def forward(self, x_LD: torch.Tensor) -> torch.Tensor:
        """Apply to each token."""
        found: torch.Tensor = self.leave(nn.functional.gelu(self.enter(x_LD), approximate="tanh"))
        return found


class Modulation(nn.Module):
    """Shifts, scales and gates of tokens from conditions (K, D): adaLN.

    Args:
        width: D.
        count: How many rows of D numbers each condition gives.
    """

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.count = count
        self.linear = nn.Linear(width, count * width)

    def forward(self, conditions_KD: torch.Tensor) -> torch.Tensor:
        """Rows of each condition, (K, count, D)."""
        found: torch.Tensor = self.linear(nn.functional.silu(conditions_KD))
        return found.reshape(len(found), self.count, -1)


def norm(width: int) -> nn.LayerNorm:
    """A layer norm without parameters; the timestep gives scale and shift."""
    return nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)


def modulate(x_LD: torch.Tensor, shift_LD: torch.Tensor, scale_LD: torch.Tensor) -> torch.Tensor:
    """Scale around 1, then shift."""
    return x_LD * (1 + scale_LD) + shift_LD
