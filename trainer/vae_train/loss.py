"""How far a clip is from itself after the autoencoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from schemas import ConfigError
from trainer.autoencoder.families import Family
from trainer.vae_train.config import LossConfig

_VGG = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512)
"""Channels of VGG-16's convolutions up to the fourth stage. Source: Simonyan & Zisserman 2014, table 1, D."""
_TAPS = (3, 8, 15, 22)
"""The last activation of each stage. Source: Johnson et al. 2016, "Perceptual losses", section 4."""
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_FRAMES_SEEN = 4
"""Of a clip, by the features of pictures: they cost more than the autoencoder."""


class ReconstructionLoss(nn.Module):
    """The weighted sum of what the config asks for.

    Args:
        config: The weights of its parts.

    Raises:
        ConfigError: The features' weights cannot be had.
    """

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        self._config = config
        self.features = vgg_features(Path(config.perceptual_weights or "")) if config.perceptual else None

    def forward(self, network: Any, family: Family, x: torch.Tensor, noise: torch.Generator) -> torch.Tensor:
        """The loss of a batch.

        Args:
            network: Of diffusers.
            family: What is known of its class.
            x: (B, 3, F, H, W) in [-1, 1].
            noise: Which latent is drawn of those that the encoder holds likely.
        """
        config = self._config
        back, posterior = reconstructed(network, family, x, noise)
        loss = config.l1 * (back - x).abs().mean() + config.l2 * (back - x).square().mean()
        if config.kl:
            mean, logvar = posterior.mean.float(), posterior.logvar.float()
            divergence = mean.square() + logvar.exp() - 1.0 - logvar
            loss = loss + config.kl * 0.5 * divergence.mean()
        if self.features is not None:
            loss = loss + config.perceptual * self._perceptual(back, x)
        return loss

    def _perceptual(self, back: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        assert self.features is not None
        places = torch.linspace(0, x.shape[2] - 1, min(_FRAMES_SEEN, x.shape[2])).long()
        ours, theirs = (self.features(clip[:, :, places].transpose(1, 2).flatten(0, 1)) for clip in (back, x))
        return torch.stack([(a - b).abs().mean() for a, b in zip(ours, theirs, strict=True)]).sum()


def reconstructed(
    network: Any, family: Family, x: torch.Tensor, noise: torch.Generator | None
) -> tuple[torch.Tensor, Any]:
    """A batch after the autoencoder, and what its encoder held likely.

    Args:
        network: Of diffusers.
        family: What is known of its class.
        x: (B, 3, F, H, W) in [-1, 1].
        noise: Draws the latent; the middle of what is likely without it.
    """
    shape = x.shape
    if family.by_frame:
        x = x.transpose(1, 2).flatten(0, 1)
    posterior = network.encode(x.to(network.dtype)).latent_dist
    latent = posterior.mode() if noise is None else posterior.sample(generator=noise)
    back = network.decode(latent).sample.float()
    if family.by_frame:
        back = back.reshape(shape[0], shape[2], *back.shape[1:]).transpose(1, 2)
    return back, posterior


class VggFeatures(nn.Module):
    """Activations of VGG-16 after each of its first four stages, each of unit length at every place."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in _VGG:
            if isinstance(width, int):
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        """Features of pictures (N, 3, H, W) in [-1, 1]."""
        x = ((pictures + 1) / 2 - self.mean) / self.std
        found = []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in _TAPS:
                found.append(nn.functional.normalize(x, dim=1))
        return found


def vgg_features(path: Path) -> VggFeatures:
    """The features, with the weights of a file that torchvision's VGG-16 was saved to.

    Raises:
        ConfigError: It is not that.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    network = VggFeatures()
    try:
        held = load_file(path)
        network.load_state_dict({name: held[name] for name in network.state_dict()})
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        raise ConfigError(f"loss.perceptual_weights: {path} is no VGG-16 in safetensors: {error}") from error
    return network.eval().requires_grad_(False)
