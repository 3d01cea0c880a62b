"""Autoencoders of the package diffusers behind our protocol."""

from __future__ import annotations

from typing import Any

import torch

from schemas import ConfigError, LatentShape, PixelShape
from trainer.autoencoder.carried import carried
from trainer.autoencoder.source import AutoencoderSource
from trainer.autoencoder.tiles import tiled
from trainer.channels_last import lay_channels_last

_PICTURES_AT_ONCE = 8
"""Frames that go through an autoencoder of pictures together."""


class DiffusersAutoencoder:
    """One network of diffusers, in evaluation mode.

    Args:
        source: What it is.
        network: Of the class that the source names.
        device: Where it computes.
    """

    def __init__(self, source: AutoencoderSource, network: Any, device: str) -> None:
        self.source = source
        self.device = device
        self.network = network.to(device).eval().requires_grad_(False)
        if network.dtype != torch.float32:
            lay_channels_last(network)
        shift, scale = source.family.scaling(source.files.about, network)
        self._shift, self._scale = _channels(shift, device), _channels(scale, device)
        # Our own tiles serve all classes alike.
        network.disable_tiling()

    @property
    def stride(self) -> tuple[int, int, int]:
        """Compression in (time, height, width)."""
        return self.source.stride

    @property
    def channels(self) -> int:
        """Of a latent."""
        return self.source.channels

    @property
    def digest(self) -> str:
        """Of its weights and its config."""
        return self.source.digest

    def latent_shape(self, pixels: PixelShape) -> LatentShape:
        """What `encode` gives for such a clip."""
        return self.source.latent_shape(pixels)

    @torch.inference_mode()
    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """The normalised latent of a clip, see `Autoencoder.encode`."""
        shape = self.latent_shape(PixelShape(*pixels.shape[1:]))
        x = pixels[None].to(device=self.device, dtype=self.network.dtype)
        latent = self._by_tile(x, self._encode, (1, self.stride[1]))[0].float()
        latent = (latent - self._shift) * self._scale
        assert tuple(latent.shape) == shape, f"{self.source.class_name} gives {tuple(latent.shape)} and not {shape}"
        return latent

    @torch.inference_mode()
    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """The clip of a normalised latent, see `Autoencoder.decode`."""
        z = latent.to(device=self.device, dtype=torch.float32) / self._scale + self._shift
        pixels = self._by_tile(z[None].to(self.network.dtype), self._decode, (self.stride[1], 1))[0]
        return pixels.float().clamp(-1, 1)

    def _by_tile(self, x: torch.Tensor, mapped: Any, scale: tuple[int, int]) -> torch.Tensor:
        """Apply a map whole, or tile by tile where the config says so and the picture is larger than a tile."""
        side, overlap = self.source.config.tile_px, self.source.config.tile_overlap_px
        step = self.stride[1]
        if scale[1] == 1:
            side, overlap, step = side // step, overlap // step, 1
        if not side or max(x.shape[3:]) <= side:
            return mapped(x)  # type: ignore[no-any-return]
        return tiled(x, side, overlap, step, scale, mapped)

    def _encode(self, x: torch.Tensor) -> torch.Tensor:
        family, pieces = self.source.family, self.source.config.piece_frames
        if family.by_frame:
            return _by_frame(x, lambda frames: self.network.encode(frames).latent_dist.mode())
        if family.streams or not 0 < pieces < x.shape[2]:
            return self.network.encode(x).latent_dist.mode()  # type: ignore[no-any-return]
        # The first frame stands alone, so the first piece has one frame more.
        ends = [*range(pieces + 1, x.shape[2], pieces), x.shape[2]]
        starts = [0, *ends[:-1]]
        with carried(self.network.encoder, family.carries(self.source.files.about)):
            found = [self.network.encode(x[:, :, a:b]).latent_dist.mode() for a, b in zip(starts, ends, strict=True)]
        return torch.cat(found, dim=2)

    def _decode(self, z: torch.Tensor) -> torch.Tensor:
        if self.source.family.by_frame:
            return _by_frame(z, lambda frames: self.network.decode(frames).sample)
        if self.network.config.get("timestep_conditioning"):
            # A decoder that can also remove noise: ours has none left.
            return self.network.decode(z, z.new_zeros(1)).sample  # type: ignore[no-any-return]
        return self.network.decode(z).sample  # type: ignore[no-any-return]


def load_autoencoder(source: AutoencoderSource, device: str = "cpu") -> DiffusersAutoencoder:
    """Build the network and fill it with its weights; nothing is downloaded, and no pickle is read.

    Args:
        source: What `find_autoencoder` found.
        device: Where it computes.

    Raises:
        ConfigError: Its config cannot be built, or the weights are not those of this config.
    """
    # torchvision is looked for along the way.
    import pipeline.media.torchvision_cpu  # noqa: F401  # isort: skip
    import diffusers

    where = source.files.path
    try:
        network, said = getattr(diffusers, source.class_name).from_pretrained(
            where,
            variant=_variant(source),
            use_safetensors=True,
            local_files_only=True,
            low_cpu_mem_usage=False,
            torch_dtype=getattr(torch, source.config.dtype),
            output_loading_info=True,
        )
    except (OSError, ValueError, TypeError, RuntimeError, LookupError) as error:
        raise ConfigError(f"{where}: is no {source.class_name}: {' '.join(str(error).split())[:300]}") from error
    for what, names in (("lacks", said["missing_keys"]), ("has no place for", said["unexpected_keys"])):
        if names:
            raise ConfigError(f"{where}: the weights are not of its config, which {what} {sorted(names)[0]}")
    try:
        model = DiffusersAutoencoder(source, network, device)
    except ValueError as error:
        raise ConfigError(f"{where}/config.json: {error}") from error
    _check_finite(model)
    return model


def _check_finite(model: DiffusersAutoencoder) -> None:
    over_t, over_h, over_w = model.stride
    latent = model.encode(torch.zeros(3, 1 + over_t, over_h, over_w))
    if not bool(latent.isfinite().all()):
        raise ConfigError(f"{model.source.files.path}: gives latents that are not finite")


def _variant(source: AutoencoderSource) -> str | None:
    """`fp16` for `….fp16.safetensors`, where the plain name is not there."""
    names = sorted(path.name for path in source.files.path.glob("*.safetensors"))
    plain = [name for name in names if name.count(".") == 1]
    return None if plain or not names else names[0].split(".")[1]


def _by_frame(x: torch.Tensor, mapped: Any) -> torch.Tensor:
    """Apply a map of pictures, (N, C, H, W) to (N, C', H', W'), to the frames of a clip (1, C, F, H, W)."""
    frames = [mapped(some) for some in torch.split(x[0].transpose(0, 1), _PICTURES_AT_ONCE)]
    return torch.cat(frames).transpose(0, 1)[None]


def _channels(value: Any, device: str) -> torch.Tensor:
    """One number, or one for each channel, to be applied to (channels, F, H, W)."""
    return torch.as_tensor(value, dtype=torch.float32, device=device).reshape(-1, 1, 1, 1)
