"""Shape arithmetic, written once: pixels, latents, patches, tokens."""

from __future__ import annotations

from typing import NamedTuple, Self


class PixelShape(NamedTuple):
    """A clip in pixels."""

    frames: int
    height: int
    width: int

    @property
    def aspect(self) -> float:
        """Width over height."""
        return self.width / self.height


class LatentShape(NamedTuple):
    """A clip under a causal video autoencoder: channels and a grid of (frames, height, width)."""

    channels: int
    frames: int
    height: int
    width: int

    @classmethod
    def of(cls, pixels: PixelShape, *, channels: int, stride: tuple[int, int, int]) -> Self:
        """The latent grid of a clip.

        The first frame stands alone and each further `stride[0]` frames share one latent frame, so
        `pixels.frames` is 1 modulo `stride[0]`.

        Args:
            pixels: The clip, in pixels.
            channels: Channels of the latent.
            stride: Compression in (time, height, width).

        Raises:
            ValueError: The clip does not divide into the grid.
        """
        over_t, over_h, over_w = stride
        if pixels.frames < 1 or (pixels.frames - 1) % over_t:
            raise ValueError(f"frames must be 1 modulo {over_t}, got {pixels.frames}")
        if pixels.height % over_h or pixels.width % over_w:
            raise ValueError(f"{pixels.height}x{pixels.width} does not divide by {over_h}x{over_w}")
        return cls(channels, 1 + (pixels.frames - 1) // over_t, pixels.height // over_h, pixels.width // over_w)

    def to_pixels(self, stride: tuple[int, int, int]) -> PixelShape:
        """The clip that decodes from this latent."""
        over_t, over_h, over_w = stride
        return PixelShape(1 + (self.frames - 1) * over_t, self.height * over_h, self.width * over_w)

    def num_tokens(self, patch: tuple[int, int, int]) -> int:
        """How many spacetime patches a transformer sees.

        Raises:
            ValueError: The grid does not divide into patches.
        """
        sizes = (self.frames, self.height, self.width)
        if any(size % step for size, step in zip(sizes, patch, strict=True)):
            raise ValueError(f"{sizes} does not divide into patches of {patch}")
        return (self.frames // patch[0]) * (self.height // patch[1]) * (self.width // patch[2])
