"""A trained model with its encoders, found and held against each other before anything heavy is loaded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from schemas import ConfigError
from trainer.autoencoder import AutoencoderSource, find_autoencoder
from trainer.model.config import EXPORT_VERSION, ModelConfig
from trainer.pretrained import Pretrained, find_pretrained
from trainer.sampling.config import SamplingConfig
from trainer.sampling.layout import Grid
from trainer.text_encoder import TextEncoderSource, find_text_encoder
from trainer.times import FlowConfig

_FOLDERS = ("", "model")
"""Where an exported model lies in the folder that the config names: that is one, or a run."""


@dataclass(frozen=True)
class ModelSource:
    """An exported model and the encoders that go with it: everything that loading them needs is on this machine."""

    folder: Path
    """The exported model's."""
    files: Pretrained
    """Of the transformer."""
    shape: ModelConfig
    flow: FlowConfig
    patch_channels: int
    text_width: int
    """Numbers in a token of the text encoder; 0 for a model that reads no text."""
    step: int
    """Updates after which it was exported."""
    autoencoder: AutoencoderSource
    text_encoder: TextEncoderSource | None

    @cached_property
    def digest(self) -> str:
        """Of its weights and its config."""
        return self.files.digest

    @property
    def grid(self) -> Grid:
        """What it does to pixels."""
        return Grid(self.autoencoder.stride, self.shape.patch, self.autoencoder.channels)


def find_model(config: SamplingConfig) -> ModelSource:
    """Find the model that a config names, and check that its encoders are those it was trained with.

    Raises:
        ConfigError: It is not there, of another version, or does not go with the encoders.
    """
    folder = _folder(config.model)
    files = find_pretrained(str(folder / "transformer"), key="model")
    about = files.about
    if about.get("_class_name") != "DiT" or about.get("version") != EXPORT_VERSION:
        said = f"{about.get('_class_name')!r}, version {about.get('version')!r}"
        wanted = f"'DiT', version {EXPORT_VERSION}"
        raise ConfigError(f"model: {files.path}/config.json is of {said}; we sample from {wanted}")
    digests = _read(files, "digests")
    try:
        shape = _shape(about)
        flow = FlowConfig.model_validate(_read(files, "flow"))
        patch_channels, text_width = int(about["patch_channels"]), int(about["text_width"])
        step = int(about["step"])
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"model: {files.path}/config.json is of another version: {where}: {first['msg']}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"model: {files.path}/config.json is of another version: {error!r}") from error
    autoencoder, text_encoder = find_encoders(config, digests, reads_text=text_width > 0)
    if autoencoder.channels * math.prod(shape.patch) != patch_channels:
        raise ConfigError(
            f"autoencoder.model: gives {autoencoder.channels} channels, and {folder} was trained on patches of "
            f"{patch_channels} numbers"
        )
    return ModelSource(folder, files, shape, flow, patch_channels, text_width, step, autoencoder, text_encoder)


def find_encoders(
    config: SamplingConfig, digests: Mapping[str, Any], *, reads_text: bool
) -> tuple[AutoencoderSource, TextEncoderSource | None]:
    """Find the encoders that a config names, and check that they are those of some digests.

    Raises:
        ConfigError: One is not there, or is another one.
    """
    return _autoencoder(config, digests), _text_encoder(config, digests) if reads_text else None


def _folder(name: str) -> Path:
    base = Path(name).expanduser()
    for below in _FOLDERS:
        if (base / below / "transformer").is_dir():
            return base / below
    if (base / "checkpoints").is_dir():
        raise ConfigError(f"model: {base} is a run that has not come to its end: it has exported no model yet")
    raise ConfigError(f"model: {base}: holds no exported model (there is no transformer/ and no model/transformer/)")


def _read(files: Pretrained, key: str) -> dict[str, Any]:
    value = files.about.get(key)
    if not isinstance(value, dict):
        raise ConfigError(f"model: {files.path}/config.json is of another version: it has no {key!r}")
    return value


def _shape(about: Mapping[str, Any]) -> ModelConfig:
    """The transformer's shape as its training config had it."""
    names = ("depth", "width", "heads", "mlp_ratio", "patch", "text", "modulation", "qk_norm", "rope", "places")
    return ModelConfig.model_validate({"size": None, **{name: about[name] for name in names}})


def _autoencoder(config: SamplingConfig, digests: Mapping[str, Any]) -> AutoencoderSource:
    if config.autoencoder.model is None:
        raise ConfigError("autoencoder.model: is missing: the autoencoder on whose latents the model was trained")
    found = find_autoencoder(config.autoencoder, "autoencoder")
    _compare("autoencoder", found.digest, digests, "")
    return found


def _text_encoder(config: SamplingConfig, digests: Mapping[str, Any]) -> TextEncoderSource:
    if config.text_encoder.model is None:
        raise ConfigError("text_encoder.model: is missing: the text encoder with whose texts the model was trained")
    found = find_text_encoder(config.text_encoder, "text_encoder")
    _compare("text_encoder", found.digest, digests, ", or max_tokens, skip_layers or dtype are other ones")
    return found


def _compare(what: str, digest: str, digests: Mapping[str, Any], more: str) -> None:
    wanted = digests.get(f"{what}_digest")
    if digest != wanted:
        raise ConfigError(
            f"{what}.model: has digest {digest}, and the model was trained with {wanted}: it is another one{more}"
        )
