from __future__ import annotations

import pytest
import torch

from trainer.model.grid import token_grid
from trainer.model.patchify import patchify, unpatchify


@pytest.mark.parametrize("patch", [(1, 2, 2), (1, 1, 1), (3, 2, 4)])
def test_a_latent_comes_back_from_its_patches(patch: tuple[int, int, int]) -> None:
    latent = torch.randn(5, 3, 4, 8)
    tokens = patchify(latent, patch)
    grid = token_grid(3, 4, 8, patch)
    assert tokens.shape == (grid.num_tokens, 5 * patch[0] * patch[1] * patch[2])
    assert torch.equal(unpatchify(tokens, grid, patch), latent)


def test_tokens_come_in_the_order_of_time_height_width() -> None:
    latent = torch.arange(2 * 4 * 6).reshape(1, 2, 4, 6).float()
    assert patchify(latent, (1, 2, 2))[:, 0].tolist() == [0, 2, 4, 12, 14, 16, 24, 26, 28, 36, 38, 40]


def test_what_does_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 3, 4\) does not divide into patches of \(1, 2, 2\)"):
        patchify(torch.zeros(1, 1, 3, 4), (1, 2, 2))
    with pytest.raises(ValueError, match="5 tokens do not fill"):
        unpatchify(torch.zeros(5, 4), token_grid(1, 2, 2, (1, 1, 1)), (1, 1, 1))
