"""Where in its picture a token lies: shares of height and width from edge to edge, whatever the size."""

from __future__ import annotations

import math

import torch

from trainer.model.grid import TokenGrid

# L tokens; the last dim of places is (height, width)

_WAVES = 4
PLACE_CHANNELS = 4 * _WAVES
"""Numbers by which a token is told its place."""


def places(grid: TokenGrid) -> torch.Tensor:
    """Shares of the way from the middle of the picture to its edges, float32 (L, 2) in [-1, 1].

    Rotary positions tell how far apart tokens are, not where the picture ends, and in pure noise nothing else does.
    Time has no such places: a film may go on. Source: Dehghani et al. 2023, "Patch n' Pack: NaViT", section 2.1,
    fractional embeddings.
    """
    rows, columns = ((2 * torch.arange(count) + 1) / count - 1 for count in grid[1:])
    of_frame = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), -1)
    return of_frame.reshape(-1, 2).repeat(grid.frames, 1)


def place_waves(places_L2: torch.Tensor) -> torch.Tensor:
    """Sine and cosine of each share at waves of four pictures down to half of one, float32 (L, PLACE_CHANNELS)."""
    waves = math.pi / 4 * 2.0 ** torch.arange(_WAVES, device=places_L2.device)
    angles = (places_L2[:, :, None] * waves).flatten(1)
    return torch.cat((angles.sin(), angles.cos()), -1)
