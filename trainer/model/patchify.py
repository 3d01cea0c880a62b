"""A latent as a sequence of tokens and back: each token is one spacetime patch."""

from __future__ import annotations

import torch

from trainer.model.grid import TokenGrid, token_grid

# C channels; F H W the latent's frames, height, width; L tokens; P numbers in a patch


def patchify(latent_CFHW: torch.Tensor, patch: tuple[int, int, int]) -> torch.Tensor:
    """Tokens (L, P) in the order of time, height, width; a patch is in the order of time, height, width, channel.

    Raises:
        ValueError: The latent does not divide into patches.
    """
    channels, *sizes = latent_CFHW.shape
    grid = token_grid(sizes[0], sizes[1], sizes[2], patch)
    cut = latent_CFHW.reshape(channels, grid.frames, patch[0], grid.height, patch[1], grid.width, patch[2])
    return cut.permute(1, 3, 5, 2, 4, 6, 0).reshape(grid.num_tokens, -1)


def unpatchify(tokens_LP: torch.Tensor, grid: TokenGrid, patch: tuple[int, int, int]) -> torch.Tensor:
    """The latent (C, F, H, W) of tokens.

    Raises:
        ValueError: They are not as many as the grid has.
    """
    if len(tokens_LP) != grid.num_tokens:
        raise ValueError(f"{len(tokens_LP)} tokens do not fill a grid of {tuple(grid)}")
    cut = tokens_LP.reshape(*grid, *patch, -1)
    joined = cut.permute(6, 0, 3, 1, 4, 2, 5)
    return joined.reshape(cut.shape[-1], grid.frames * patch[0], grid.height * patch[1], grid.width * patch[2])
