"""How many tokens a latent has, and how they lie."""

from __future__ import annotations

from typing import NamedTuple


class TokenGrid(NamedTuple):
    """How many patches a latent has along (time, height, width)."""

    frames: int
    height: int
    width: int

    @property
    def num_tokens(self) -> int:
        """All of them."""
        return self.frames * self.height * self.width


def token_grid(frames: int, height: int, width: int, patch: tuple[int, int, int]) -> TokenGrid:
    """The grid of patches of a latent.

    Raises:
        ValueError: The latent does not divide into patches.
    """
    sizes = (frames, height, width)
    if any(size % step or size < step for size, step in zip(sizes, patch, strict=True)):
        raise ValueError(f"a latent of {sizes} does not divide into patches of {patch}")
    return TokenGrid(frames // patch[0], height // patch[1], width // patch[2])
