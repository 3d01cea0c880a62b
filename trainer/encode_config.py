"""The section `encode` of a run's config."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic.config import JsonDict

from schemas import Config
from trainer.autoencoder import AutoencoderConfig

_NO_EFFECT: JsonDict = {"affects_output": False}


class EncodeConfig(Config):
    """How clips become latents."""

    autoencoder: AutoencoderConfig = AutoencoderConfig()
    dtype: Literal["float16", "bfloat16", "float32"] = "float16"
    """Of the latents that are kept: about unit variance, so that float16 loses least for its size."""
    media_crf: int | None = Field(None, ge=0, le=51)
    """Also keep the frames that the autoencoder saw, as H.264 of this quality in `KEY.mp4`; null keeps none."""
    readers: int = Field(1, ge=1, le=32, json_schema_extra=_NO_EFFECT)
    """Decoders of a worker that prepare clips while the autoencoder works."""
    gpus: float = Field(0.0, ge=0, json_schema_extra=_NO_EFFECT)
    """GPUs of one worker. Without, it runs on the CPU."""
    cpus: float = Field(1.0, gt=0, json_schema_extra=_NO_EFFECT)
    """Cores of one worker."""
