"""Scorer: whether a mark lies over the film: a logo, a name, half-transparent lettering."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from pipeline.clip.tensors import file_digest, read_tensors
from pipeline.scorers.embedding import EmbeddingConfig
from pipeline.scorers.persistence import MIN_VIEWS, Candidate, candidates, common, distinct
from pipeline.scorers.scorer import ClipView, Picture
from schemas import Config, ConfigError, ErrorKind, MediaError, Resources

_SURE_PIXELS = 100
"""Edge pixels at which a mark is as likely as not. Small marks in real footage gave 300 to 2000, what agreed by chance
below 50."""
_MIN_CHANGING = 0.5
_MAX_EDGES_AROUND = 0.03
_MIN_ROUNDNESS = 0.1
_MIN_DENSITY = 0.1
_MAX_AREA = 0.35


Head = tuple[npt.NDArray[np.float64], float]
"""float64 (width,) and a bias."""


class WatermarkConfig(Config):
    """How marks are looked for."""

    method: Literal["persistence", "head"] = "persistence"
    """`persistence`: what stays in its place while the film changes; needs no model, and tells nothing of clips that
    show fewer than three different views. `head`: a linear head on the clip's embedding."""
    weights: str | None = None
    """For `head`: a file of `weight` and `bias` (.safetensors), trained on embeddings of the same model."""
    batch_clips: int = Field(16, ge=1, json_schema_extra={"affects_output": False})
    """Clips judged at once."""

    @model_validator(mode="after")
    def _head_has_weights(self) -> Self:
        if self.method == "head" and self.weights is None:
            raise ValueError("method 'head' needs weights: the path of a linear head")
        if self.method == "persistence" and self.weights is not None:
            raise ValueError("weights are for method 'head', and method is 'persistence'")
        return self


def missing(config: WatermarkConfig, embedding: EmbeddingConfig) -> str:
    """What must be configured first; empty where nothing is."""
    return "needs embedding.weights" if config.method == "head" and embedding.weights is None else ""


class Watermark:
    """Scorer: how sure it is that a mark lies over the picture.

    Args:
        config: How it is looked for.
    """

    name = "watermark"
    version = 1
    resources = Resources()

    def __init__(self, config: WatermarkConfig) -> None:
        self.config = config
        self.batch_clips = config.batch_clips
        self._head: Head | None = None

    @property
    def needs(self) -> frozenset[str]:
        """Pictures, or the embedding."""
        return frozenset({"embedding" if self.config.method == "head" else "pictures"})

    @property
    def seconds_a_clip(self) -> float:
        """Of three pictures, measured."""
        return 0.0003 if self.config.method == "head" else 0.03

    def models(self) -> Mapping[str, str]:
        """The digest of the head, where there is one.

        Raises:
            ConfigError: It is not there or is no head.
        """
        if self.config.weights is None:
            return {}
        path = Path(self.config.weights)
        read_head(path)
        return {"watermark": file_digest(path)}

    def setup(self) -> None:
        """Load the head, where there is one."""
        if self.config.weights is not None:
            self._head = read_head(Path(self.config.weights))

    def score(self, clips: Sequence[ClipView]) -> Sequence[Mapping[str, object]]:
        """The certainty for each clip, 0 to 1; None where nothing can be told.

        Raises:
            MediaError: An embedding is of another width than the head wants.
        """
        judge = self._by_head if self.config.method == "head" else lambda clip: certainty(clip.pictures)
        return [{"watermark_score": judge(clip)} for clip in clips]

    def _by_head(self, clip: ClipView) -> float | None:
        assert self._head is not None
        if clip.embedding is None:
            return None
        weights, bias = self._head
        if clip.embedding.shape != weights.shape:
            raise MediaError(
                ErrorKind.preview,
                f"the embedding has {clip.embedding.size} numbers, the head of watermark wants {weights.size}",
            )
        return logistic(float(weights @ clip.embedding.astype(np.float64)) + bias)


def read_head(path: Path) -> Head:
    """A linear head: a file of `weight`, (width,) or (1, width), and `bias`, one number.

    Raises:
        ConfigError: The file is not there or holds something else.
    """
    tensors = read_tensors(path, "watermark.weights")
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    weight, bias = tensors.get("weight"), tensors.get("bias")
    if weight is None or bias is None or len(tensors) != 2 or bias.numel() != 1 or weight.numel() != weight.shape[-1]:
        raise ConfigError(f"watermark.weights: {path} must hold `weight` (1, width) and `bias` (1,), it has {shapes}")
    return weight.double().numpy().ravel(), float(bias.double().item())


def logistic(value: float) -> float:
    """From any number to 0 to 1, 0 to one half."""
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, value))))


def certainty(pictures: Sequence[Picture]) -> float | None:
    """How sure it is that a mark lies over these pictures, 0 to 1; None with fewer than three different views.

    A rule that wants unjudged clips to stay says `coalesce(watermark_score, 0) < 0.5`.

    Args:
        pictures: Of one clip, of one size.
    """
    views = distinct(pictures)
    if len(views) < MIN_VIEWS:
        return None
    return max((strength(mark) for mark in candidates(common(views))), default=0.0)


def strength(mark: Candidate) -> float:
    """How sure it is that a group of common edges is a mark, 0 to 1."""
    is_alone = mark.edges_around <= _MAX_EDGES_AROUND and mark.area_ratio <= _MAX_AREA
    is_drawn = mark.density >= _MIN_DENSITY and mark.roundness >= _MIN_ROUNDNESS
    if not is_alone or not is_drawn or mark.changing_around < _MIN_CHANGING:
        return 0.0
    return mark.num_edge_pixels / (mark.num_edge_pixels + _SURE_PIXELS)
