"""What the trainer asks of an autoencoder."""

from __future__ import annotations

from typing import Protocol

import torch

from schemas import LatentShape, PixelShape


class Autoencoder(Protocol):
    """Turns clips into latents of about unit variance, and latents into clips.

    The first frame stands alone and each further `stride[0]` frames share a latent frame, so a clip has 1 modulo
    `stride[0]` frames, and a picture is a clip of one frame.
    """

    @property
    def stride(self) -> tuple[int, int, int]:
        """Compression in (time, height, width)."""

    @property
    def channels(self) -> int:
        """Of a latent."""

    @property
    def digest(self) -> str:
        """Of its weights and its config: 32 hexadecimal digits."""

    def latent_shape(self, pixels: PixelShape) -> LatentShape:
        """What `encode` gives for such a clip.

        Raises:
            ValueError: The clip does not divide into the grid.
        """

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """The normalised latent of a clip: the middle of what the encoder holds likely.

        Args:
            pixels: Any float (3, F, H, W), RGB in [-1, 1].

        Returns:
            float32 (channels, F', H', W'), on the autoencoder's device.

        Raises:
            ValueError: The clip does not divide into the grid.
        """

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """The clip of a normalised latent.

        Args:
            latent: Any float (channels, F', H', W').

        Returns:
            float32 (3, F, H, W), RGB in [-1, 1], on the autoencoder's device.
        """
