"""Rotary positions in three axes, in physical units: seconds, and pixels from the picture's centre."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from trainer.model.config import RopeConfig
from trainer.model.grid import TokenGrid

# L tokens, H channels of a head; the last dim of positions is (time, height, width)


def head_axes(head_width: int) -> tuple[int, int, int]:
    """Channels of a head for (time, height, width): a third each, even, and the rest to time.

    Source: Wan 2.1, `wan/modules/model.py`: of 128 channels 44, 42 and 42.
    """
    side = head_width // 6 * 2
    return head_width - 2 * side, side, side


def frequencies(channels: int, theta: float) -> torch.Tensor:
    """Radians a unit of position, float64 (channels / 2,), from 1 down.

    Source: Su et al. 2021, "RoFormer", equation 15.
    """
    return theta ** (-torch.arange(0, channels, 2, dtype=torch.float64) / max(channels, 1))


def positions(
    grid: TokenGrid, times_s: Sequence[float], cell_px: tuple[float, float], config: RopeConfig
) -> torch.Tensor:
    """Where each token of a clip lies, float32 (L, 3), in units of `config`.

    Args:
        grid: The clip's patches.
        times_s: When each of its frames of tokens is shown, in seconds.
        cell_px: Height and width of a token in pixels.
        config: The units.
    """
    time = torch.tensor(times_s, dtype=torch.float64) / config.unit_s
    rows, columns = (
        (torch.arange(count, dtype=torch.float64) - (count - 1) / 2) * size / config.unit_px
        for count, size in zip(grid[1:], cell_px, strict=True)
    )
    axes = [
        axis / stretch if config.extrapolation == "interpolate" else axis
        for axis, stretch in zip((time, rows, columns), _stretches(grid, times_s, cell_px, config), strict=True)
    ]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3).float()


def wave_stretches(
    grid: TokenGrid, times_s: Sequence[float], cell_px: tuple[float, float], config: RopeConfig
) -> torch.Tensor:
    """How much longer the waves of each axis are for a clip, float32 (3,); 1 unless `extrapolation` is `ntk`."""
    if config.extrapolation != "ntk":
        return torch.ones(3)
    return torch.tensor(_stretches(grid, times_s, cell_px, config))


def _stretches(
    grid: TokenGrid, times_s: Sequence[float], cell_px: tuple[float, float], config: RopeConfig
) -> tuple[float, float, float]:
    """How far beyond what was trained a clip reaches; 1 where it does not."""
    return (
        max(1.0, (times_s[-1] - times_s[0]) / config.trained_s),
        max(1.0, grid.height * cell_px[0] / config.trained_px),
        max(1.0, grid.width * cell_px[1] / config.trained_px),
    )


def rotation(
    positions_L3: torch.Tensor,
    head_width: int,
    config: RopeConfig,
    stretches_L3: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosine and sine of each token's angles, float32 (L, H / 2) each.

    Args:
        positions_L3: Of the tokens.
        head_width: H, channels of a head.
        config: Base and axes.
        stretches_L3: How much longer the longest wave of each axis is; the shortest stays. Source of the rule:
            bloc97 2023, "NTK-aware scaled RoPE": the base is multiplied by `stretch ** (d / (d - 2))`.
    """
    axes = config.axes or head_axes(head_width)
    angles = []
    for axis, channels in enumerate(axes):
        waves = frequencies(channels, config.theta).to(positions_L3.device)
        angle = positions_L3[:, axis, None].double() * waves
        if stretches_L3 is not None and channels > 2:
            powers = torch.arange(0, channels, 2, dtype=torch.float64, device=waves.device) / (channels - 2)
            angle = angle * stretches_L3[:, axis, None].double() ** -powers
        angles.append(angle)
    joined = torch.cat(angles, -1)
    return joined.cos().float(), joined.sin().float()


def rotate(x_LNH: torch.Tensor, cos_LE: torch.Tensor, sin_LE: torch.Tensor) -> torch.Tensor:
    """Turn neighbouring pairs of channels by their angles; the dtype stays.

    Args:
        x_LNH: Queries or keys, (L, N, H).
        cos_LE: float32 (L, H / 2).
        sin_LE: float32 (L, H / 2).
    """
    even, odd = x_LNH.float().reshape(*x_LNH.shape[:-1], -1, 2).unbind(-1)
    cos, sin = cos_LE[:, None], sin_LE[:, None]
    turned = torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1)
    return turned.flatten(-2).to(x_LNH.dtype)
