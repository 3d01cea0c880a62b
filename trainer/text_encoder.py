"""Texts into tokens' embeddings: which encoder a config means, and what the trainer asks of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol

from pydantic import Field
from pydantic.config import JsonDict

from schemas import Config, ConfigError, digest
from trainer.pretrained import Pretrained, find_pretrained

if TYPE_CHECKING:
    import torch

_NO_EFFECT: JsonDict = {"affects_output": False}
_OPEN_CLIP = ("model.json", "open_clip_config.json")
"""What open_clip calls the description of a model."""


class TextEncoderConfig(Config):
    """A text encoder: T5, UMT5, the text tower of a CLIP, or a language model's hidden states."""

    model: str | None = Field(None, json_schema_extra=_NO_EFFECT)
    """A folder (config.json or open_clip's description, *.safetensors), or `OWNER/MODEL/text_encoder` of the hub. What
    it holds decides what is stale, and not where it lies."""
    tokenizer: str | None = Field(None, json_schema_extra=_NO_EFFECT)
    """The tokenizer's folder, where it is another one."""
    max_tokens: int = Field(512, ge=1, le=32768)
    """Of a text; what goes beyond is cut off."""
    skip_layers: int = Field(0, ge=0, le=64)
    """Of a language model: how many of the last layers are left out."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """In which it computes."""
    batch_texts: int = Field(16, ge=1, json_schema_extra=_NO_EFFECT)
    """Texts that go through it at once."""


class TextEncoder(Protocol):
    """Turns texts into one vector a token."""

    @property
    def width(self) -> int:
        """Numbers in a vector."""

    @property
    def digest(self) -> str:
        """Of its weights, its tokenizer and its config: 32 hexadecimal digits."""

    def encode(self, texts: Sequence[str]) -> list[torch.Tensor]:
        """The vectors of each text's tokens, without padding.

        Returns:
            float32 (tokens, width) for each text, on the CPU, with 0 to `max_tokens` tokens.
        """


@dataclass(frozen=True, slots=True)
class TextModel:
    """One kind of models of transformers."""

    class_name: str
    """Of transformers, without a head."""
    is_language_model: bool = False
    """Whether it reads from left to right, and `skip_layers` means something."""


_LANGUAGE_MODEL = TextModel("AutoModel", is_language_model=True)
TEXT_MODELS: Mapping[str, TextModel] = {
    "t5": TextModel("T5EncoderModel"),
    "umt5": TextModel("UMT5EncoderModel"),
    "clip": TextModel("CLIPTextModel"),
    "clip_text_model": TextModel("CLIPTextModel"),
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "phi3"), _LANGUAGE_MODEL),
}
"""By the `model_type` in `config.json`."""


@dataclass(frozen=True)
class TextEncoderSource:
    """A text encoder found: everything that loading it needs is on this machine."""

    config: TextEncoderConfig
    files: Pretrained
    tokenizer: Pretrained
    model: TextModel | None
    """None for one of open_clip's."""

    @cached_property
    def digest(self) -> str:
        """Of its weights, its tokenizer, and the config values that change what it gives."""
        return digest([self.files.digest, self.tokenizer.digest, self.config.output_digest()])


def find_text_encoder(config: TextEncoderConfig, key: str = "shard.text_encoder") -> TextEncoderSource:
    """Find the text encoder that a config names.

    Args:
        config: With `model`.
        key: Of the config section, for messages.

    Raises:
        ConfigError: There is no such folder, or what it holds is none that we know.
    """
    assert config.model is not None, "ask whether it is configured first"
    files = find_pretrained(config.model, key=f"{key}.model", descriptions=("config.json", *_OPEN_CLIP))
    if any((files.path / name).is_file() for name in _OPEN_CLIP) and "model_type" not in files.about:
        if config.skip_layers:
            raise ConfigError(f"{key}.skip_layers is for language models, and {files.path} is a CLIP")
        return TextEncoderSource(config, files, files, None)
    kind = files.about.get("model_type")
    if kind not in TEXT_MODELS:
        raise ConfigError(
            f"{key}.model: {files.path}/config.json: model_type is {kind!r}; we know {', '.join(TEXT_MODELS)}"
        )
    model = TEXT_MODELS[str(kind)]
    if config.skip_layers and not model.is_language_model:
        raise ConfigError(f"{key}.skip_layers is for language models, and {files.path} is a {kind}")
    where = config.tokenizer or config.model
    described = ("tokenizer_config.json",)
    tokenizer = find_pretrained(where, key=f"{key}.tokenizer", descriptions=described, has_weights=False)
    return TextEncoderSource(config, files, tokenizer, model)


def load_text_encoder(source: TextEncoderSource, device: str = "cpu") -> TextEncoder:
    """The text encoder at work.

    Args:
        source: What `find_text_encoder` found.
        device: Where it computes, as torch calls it.

    Raises:
        ConfigError: Its config cannot be built, or the weights are not those of this config.
    """
    if source.model is None:
        from trainer.text_encoder_open_clip import OpenClipTextEncoder

        return OpenClipTextEncoder(source, device)
    from trainer.text_encoder_transformers import TransformersTextEncoder

    return TransformersTextEncoder(source, device)
