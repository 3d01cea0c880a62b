"""Clips into latents and back: the video autoencoders of the field behind one protocol.

`find_autoencoder` needs no torch, so that a plan is quick; `load` brings it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainer.autoencoder.config import AutoencoderConfig
from trainer.autoencoder.families import FAMILIES, Family
from trainer.autoencoder.source import AutoencoderSource, find_autoencoder

if TYPE_CHECKING:
    from trainer.autoencoder.protocol import Autoencoder

__all__ = [
    "FAMILIES",
    "AutoencoderConfig",
    "AutoencoderSource",
    "Family",
    "find_autoencoder",
    "load",
]


def load(source: AutoencoderSource, device: str = "cpu") -> Autoencoder:
    """The autoencoder at work.

    Args:
        source: What `find_autoencoder` found.
        device: Where it computes, as torch calls it.

    Raises:
        ConfigError: Its config cannot be built, or the weights are not those of this config.
    """
    from trainer.autoencoder.diffusers_model import load_autoencoder

    return load_autoencoder(source, device)
