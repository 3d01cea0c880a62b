"""Noise from seeds: the same bits on every device, related where results are to be related."""

from __future__ import annotations

import math

import torch

from schemas import LatentShape, digest

# C channels; F H W the latent's frames, height, width


def draw(shape: LatentShape, seed: int, name: str = "") -> torch.Tensor:
    """Unit noise of a latent, float32 (C, F, H, W), drawn on the CPU.

    Args:
        shape: Of the latent.
        seed: At least 0.
        name: What it is for; another name gives other noise of the same seed.
    """
    number = int(digest([seed, name])[:15], 16) if name else seed
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(number))


def varied(noise: torch.Tensor, other: torch.Tensor, amount: float) -> torch.Tensor:
    """Unit noise on the arc from one to another: near results for small amounts.

    Args:
        noise: At 0.
        other: At 1, independent of it.
        amount: In [0, 1].
    """
    angle = amount * math.pi / 2
    return math.cos(angle) * noise + math.sin(angle) * other


def refined(small: torch.Tensor, large: torch.Tensor) -> torch.Tensor:
    """Unit noise at a larger size whose coarse layout is that of the noise at a smaller one.

    The cells of the large one that lie over one cell of the small one have its value as their mean, as far as the mean
    of so many can go: `value / sqrt(count)`. If both are independent unit noise, so is the result.

    Args:
        small: (C, F, h, w).
        large: (C, F, H, W), with H >= h and W >= w.
    """
    channels, frames, height, width = large.shape
    rows = torch.arange(height) * small.shape[2] // height
    columns = torch.arange(width) * small.shape[3] // width
    cell_N = (rows[:, None] * small.shape[3] + columns).reshape(-1)
    num_cells = small.shape[2] * small.shape[3]
    flat = large.reshape(channels, frames, -1)
    counts = torch.bincount(cell_N, minlength=num_cells).float()
    means = torch.zeros(channels, frames, num_cells).index_add(2, cell_N, flat) / counts
    wanted = small.reshape(channels, frames, -1) / counts.sqrt()
    return (flat + (wanted - means)[:, :, cell_N]).reshape(large.shape)
