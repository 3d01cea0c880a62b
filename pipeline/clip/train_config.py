"""The config of a CLIP training run."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from pydantic.config import JsonDict

from schemas import Config

_NO_EFFECT: JsonDict = {"affects_output": False}


class ClipTrainConfig(Config):
    """How a small CLIP is trained on captioned clips."""

    model: dict[str, Any]
    """open_clip's `model_cfg`; without `text_cfg.vocab_size`, which the captions decide."""
    preprocess: dict[str, Any] = Field(default_factory=dict)
    """open_clip's `preprocess_cfg`: `mean`, `std`, `interpolation`, `resize_mode`, `fill_color`."""
    max_merges: int = Field(2000, ge=0, le=48894)
    """Most byte-pair merges of the vocabulary."""
    steps: int = Field(1000, ge=1)
    """Updates of the weights."""
    batch_size: int = Field(256, ge=2)
    """Pairs a step; each is told from all others of its step."""
    learning_rate: float = Field(1e-3, gt=0)
    """The highest, after the warm-up; it falls to 0 along a cosine."""
    warmup_steps: int = Field(50, ge=0)
    """Steps over which the rate rises from 0."""
    weight_decay: float = Field(0.1, ge=0)
    """On matrices; biases, norms and the temperature have none."""
    min_crop: float = Field(0.85, gt=0, le=1)
    """A picture is seen through a window of its own aspect, at random at least so wide and high."""
    held_out_share: float = Field(0.05, ge=0, lt=1)
    """Of the videos, kept back for the evaluation at the end."""
    seed: int = 0
    """Of weights, order and windows."""
    threads: int = Field(1, ge=1, json_schema_extra=_NO_EFFECT)
    """Threads of torch. The same number gives the same weights."""
    workers: int = Field(0, ge=0, json_schema_extra=_NO_EFFECT)
    """Processes that prepare batches ahead; none by default."""
    checkpoint_steps: int = Field(100, ge=1, json_schema_extra=_NO_EFFECT)
    """A checkpoint is written each time so many steps are done."""
