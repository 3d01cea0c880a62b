"""Which autoencoder a config means: its shapes and its digest, before anything heavy is loaded."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from schemas import ConfigError, LatentShape, PixelShape
from trainer.autoencoder.config import AutoencoderConfig
from trainer.autoencoder.families import FAMILIES, Family, Stride
from trainer.pretrained import Pretrained, find_pretrained


@dataclass(frozen=True)
class AutoencoderSource:
    """An autoencoder found: everything that loading it needs is on this machine."""

    config: AutoencoderConfig
    files: Pretrained
    class_name: str
    stride: Stride
    channels: int

    @property
    def family(self) -> Family:
        """What is known of its class."""
        return FAMILIES[self.class_name]

    @property
    def digest(self) -> str:
        """Of its weights and its config."""
        return self.files.digest

    def latent_shape(self, pixels: PixelShape) -> LatentShape:
        """What it makes of a clip.

        Raises:
            ValueError: The clip does not divide into the grid.
        """
        return LatentShape.of(pixels, channels=self.channels, stride=self.stride)


def find_autoencoder(config: AutoencoderConfig, key: str = "encode.autoencoder") -> AutoencoderSource:
    """Find the autoencoder that a config names.

    Args:
        config: With `model`.
        key: Of the config section, for messages.

    Raises:
        ConfigError: There is no such folder, or what it holds is none that we know.
    """
    assert config.model is not None, "ask whether it is configured first"
    files = find_pretrained(config.model, key=f"{key}.model")
    name = files.about.get("_class_name")
    if name not in FAMILIES:
        near = difflib.get_close_matches(str(name), FAMILIES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"we know {', '.join(FAMILIES)}"
        raise ConfigError(f"{key}.model: {files.path}/config.json: _class_name is {name!r}; {hint}")
    family = FAMILIES[str(name)]
    try:
        stride, channels = family.stride(files.about), family.channels(files.about)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{key}.model: {files.path}/config.json: {error}") from error
    source = AutoencoderSource(config, files, str(name), stride, channels)
    _check_pieces(source, key)
    return source


def _check_pieces(source: AutoencoderSource, key: str) -> None:
    frames, over_t = source.config.piece_frames, source.stride[0]
    if not frames or source.family.streams or source.family.by_frame:
        return
    if not source.family.carries(source.files.about):
        raise ConfigError(
            f"{key}.piece_frames: {source.class_name} does not give for pieces of a clip what it gives for the whole"
        )
    if frames % over_t:
        raise ConfigError(f"{key}.piece_frames is a multiple of {over_t}, the stride in time, got {frames}")
