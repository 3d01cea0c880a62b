"""The section `shard` of a run's config."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic.config import JsonDict

from schemas import Config
from schemas.caption import CaptionKind
from trainer.text_encoder import TextEncoderConfig

_NO_EFFECT: JsonDict = {"affects_output": False}


class ShardConfig(Config):
    """How latents and captions are packed into shards."""

    text_encoder: TextEncoderConfig = TextEncoderConfig()
    kinds: tuple[CaptionKind, ...] = Field(tuple(CaptionKind), min_length=1)
    """Captions that are encoded, where a clip has them: training draws one of them."""
    caption_set: str | None = None
    """Of the captioner's captions. Null for the set that this run's own captioner writes; without one, for the only
    set there is."""
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    """Of the text vectors that are kept."""
    target_mib: int = Field(128, ge=1, le=8192)
    """A shard's latents take at most so much, unless one clip takes more."""
    gpus: float = Field(0.0, ge=0, json_schema_extra=_NO_EFFECT)
    """GPUs of one worker. Without, it runs on the CPU."""
    cpus: float = Field(1.0, gt=0, json_schema_extra=_NO_EFFECT)
    """Cores of one worker."""
