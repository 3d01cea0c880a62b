"""The autoencoders we know, by the class name in their folder's `config.json`: shapes, and how latents are scaled.

A family reads its numbers from the folder's config, so that a plan needs neither torch nor weights. What the numbers of
the published models are is held in `tests/trainer/autoencoder/test_families.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

About = Mapping[str, Any]
"""What `config.json` says."""
Stride = tuple[int, int, int]
"""Compression in (time, height, width)."""


@dataclass(frozen=True, slots=True)
class Family:
    """One class of autoencoders."""

    stride: Callable[[About], Stride]
    channels: Callable[[About], int]
    """Of a latent."""
    scaling: Callable[[About, torch.nn.Module], tuple[Any, Any]]
    """`(shift, scale)`, numbers or float32 (channels,): a latent `z` is normalised to `(z - shift) * scale`."""
    streams: bool = False
    """Whether the class itself goes through a clip piece by piece, carrying over what the next piece needs, so that
    memory does not grow with the clip and the result is that of the whole."""
    carries: Callable[[About], str] = lambda about: ""
    """Where it does not stream and could: the class of its causal convolutions, see `trainer.autoencoder.carried`;
    empty where a piece can never give what the whole gives."""
    by_frame: bool = False
    """Whether it is one of pictures, which sees each frame alone."""


def _wan_stride(about: About) -> Stride:
    downsamples = about.get("temperal_downsample", (False, True, True))
    levels = len(about.get("dim_mult", (1, 2, 4, 4)))
    over_t = 2 ** sum(map(bool, downsamples))
    if over_t != 4:
        # The class goes through a clip in steps of four frames whatever its config says.
        raise ValueError(f"temperal_downsample compresses time {over_t} times, and the class can only do 4")
    side = 2 ** (levels - 1) * (about.get("patch_size") or 1)
    return (over_t, side, side)


def _wan_scaling(about: About, network: torch.nn.Module) -> tuple[Any, Any]:
    """Source: Wan 2.1, `wan/modules/vae2_1.py`: mean and deviation of each channel, `(z - mean) / std`."""
    import torch

    config: Any = network.config
    mean, std = torch.tensor(config["latents_mean"]), torch.tensor(config["latents_std"])
    if len(mean) != config["z_dim"] or len(std) != config["z_dim"]:
        raise ValueError(f"latents_mean and latents_std have {len(mean)} and {len(std)} values for {config['z_dim']}")
    return mean, 1 / std


def _ratio_stride(about: About) -> Stride:
    side = int(about.get("spatial_compression_ratio") or 8)
    return (int(about.get("temporal_compression_ratio") or 4), side, side)


def _levels_stride(about: About) -> Stride:
    side = 2 ** (len(about.get("block_out_channels", (128, 256, 256, 512))) - 1)
    return (int(about.get("temporal_compression_ratio", 4)), side, side)


def _factor_scaling(about: About, network: torch.nn.Module) -> tuple[Any, Any]:
    config: Any = network.config
    return config.get("shift_factor") or 0.0, float(config["scaling_factor"])


def _ltx_stride(about: About) -> Stride:
    halvings = sum(map(bool, about.get("spatio_temporal_scaling", (True, True, True, False))))
    side = about.get("spatial_compression_ratio") or int(about.get("patch_size", 4)) * 2**halvings
    over_t = about.get("temporal_compression_ratio") or int(about.get("patch_size_t", 1)) * 2**halvings
    return (int(over_t), int(side), int(side))


def _ltx_scaling(about: About, network: torch.nn.Module) -> tuple[Any, Any]:
    """Statistics lie among the weights."""
    config: Any = network.config
    held: Any = network
    return held.latents_mean.float().cpu(), float(config["scaling_factor"]) / held.latents_std.float().cpu()


def _ltx_carries(about: About) -> str:
    """Version 0.9 halves time in causal convolutions; later ones also fold frames together, which has no carry-over."""
    kinds = {"LTXVideoDownBlock3D", *about.get("down_block_types", ())}
    return "LTXVideoCausalConv3d" if len(kinds) == 1 and about.get("encoder_causal", True) else ""


def _picture_stride(about: About) -> Stride:
    side = 2 ** (len(about.get("block_out_channels", (64,))) - 1)
    return (1, side, side)


FAMILIES: Mapping[str, Family] = {
    "AutoencoderKLWan": Family(
        stride=_wan_stride,
        channels=lambda about: int(about.get("z_dim", 16)),
        scaling=_wan_scaling,
        streams=True,
    ),
    "AutoencoderKLHunyuanVideo": Family(
        stride=_ratio_stride,
        channels=lambda about: int(about.get("latent_channels", 16)),
        scaling=_factor_scaling,
    ),
    "AutoencoderKLCogVideoX": Family(
        stride=_levels_stride,
        channels=lambda about: int(about.get("latent_channels", 16)),
        scaling=_factor_scaling,
        streams=True,
    ),
    "AutoencoderKLLTXVideo": Family(
        stride=_ltx_stride,
        channels=lambda about: int(about.get("latent_channels", 128)),
        scaling=_ltx_scaling,
        carries=_ltx_carries,
    ),
    "AutoencoderKL": Family(
        stride=_picture_stride,
        channels=lambda about: int(about.get("latent_channels", 4)),
        scaling=_factor_scaling,
        by_frame=True,
    ),
}
"""Every class by its name; all are of the package diffusers."""
