"""A picture in overlapping tiles, blended where they overlap."""

from __future__ import annotations

from collections.abc import Callable

import torch

Map = Callable[[torch.Tensor], torch.Tensor]
"""From (B, C, F, H, W) to (B, C', F', H', W'), whose sides are `scale` times as long."""


def tiled(x: torch.Tensor, side: int, overlap: int, step: int, scale: tuple[int, int], encode: Map) -> torch.Tensor:
    """What a map gives for a picture, computed tile by tile.

    Each tile counts for less towards its edges, down to next to nothing, so that no seam shows.

    Args:
        x: (B, C, F, H, W); H and W are multiples of `step`.
        side: Of a tile, in positions of `x`; taken down to a multiple of `step`.
        overlap: Of neighbouring tiles, likewise.
        step: Positions of `x` on which tiles may begin.
        scale: Sides of the map's output over those of its input, as a fraction `(num, den)`.
        encode: The map.
    """
    side, overlap = max(side // step, 2) * step, max(overlap // step, 1) * step
    out = weights = None
    for top in starts(x.shape[3], side, overlap):
        for left in starts(x.shape[4], side, overlap):
            piece = encode(x[:, :, :, top : top + side, left : left + side])
            if out is None or weights is None:
                size = [length * scale[0] // scale[1] for length in x.shape[3:]]
                out = piece.new_zeros((*piece.shape[:3], *size))
                weights = piece.new_zeros(size)
            y, high = top * scale[0] // scale[1], piece.shape[3]
            z, wide = left * scale[0] // scale[1], piece.shape[4]
            margin = max(overlap * scale[0] // scale[1], 1)
            weight = _ramp(high, margin, piece)[:, None] * _ramp(wide, margin, piece)
            out[:, :, :, y : y + high, z : z + wide] += piece * weight
            weights[y : y + high, z : z + wide] += weight
    assert out is not None
    assert weights is not None
    return out / weights


def starts(length: int, side: int, overlap: int) -> list[int]:
    """Where tiles begin: as few as cover the length, the last one moved back to its end."""
    if length <= side:
        return [0]
    stride = side - overlap
    return [*range(0, length - side, stride), length - side]


def _ramp(length: int, margin: int, like: torch.Tensor) -> torch.Tensor:
    """Weights that rise over a margin and fall over one: (length,)."""
    place = torch.arange(length, device=like.device, dtype=like.dtype)
    return torch.minimum(place + 1, length - place).clamp(max=margin) / margin
