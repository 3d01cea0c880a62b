"""How pleasing people find a picture: a small head on its CLIP embedding, in the two forms that LAION published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pipeline.clip import find_clip
from pipeline.clip.tensors import check_file, read_tensors
from pipeline.scorers.embedding import EmbeddingConfig
from pipeline.scorers.scorer import ClipView
from schemas import Config, ConfigError, ErrorKind, MediaError, Resources, file_digest

if TYPE_CHECKING:
    import torch

Layer = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
"""Weights (out, in) and biases (out,)."""


class AestheticConfig(Config):
    """Which head judges the embeddings. It must have been trained on embeddings of the same model."""

    weights: str | None = None
    """A path (.safetensors, .pth, .pt, .bin): `sac+logos+ava1-l14-linearMSE` of improved-aesthetic-predictor, or one
    of aesthetic-predictor's linear heads."""
    batch_clips: int = Field(1024, ge=1, json_schema_extra={"affects_output": False})
    """Clips judged at once."""


def missing(config: AestheticConfig, embedding: EmbeddingConfig) -> str:
    """What must be configured first; empty where nothing is."""
    if embedding.weights is None:
        return "needs embedding.weights"
    return "" if config.weights is not None else "needs aesthetic.weights"


class Aesthetic:
    """Scorer: judge each clip by its embedding.

    Args:
        config: The head.
        embedding: The model that makes the embeddings, which must be as wide as the head wants them.
    """

    name = "aesthetic"
    version = 1
    needs = frozenset({"embedding"})
    resources = Resources()
    seconds_a_clip = 0.0003

    def __init__(self, config: AestheticConfig, embedding: EmbeddingConfig) -> None:
        self.config = config
        self.embedding = embedding
        self.batch_clips = config.batch_clips
        self._layers: list[Layer] = []

    def models(self) -> Mapping[str, str]:
        """The digest of the head.

        Raises:
            ConfigError: It is not there, is no such head, or does not fit the embeddings.
        """
        path = self._path()
        width = read_head(path)[0][0].shape[1]
        has = find_clip(self.embedding).width
        if width != has:
            raise ConfigError(
                f"aesthetic.weights: {path} judges embeddings of {width} numbers, those of embedding.weights have {has}"
            )
        return {"aesthetic": file_digest(path)}

    def setup(self) -> None:
        """Load the head.

        Raises:
            ConfigError: It is not there or is no such head.
        """
        self._layers = read_head(self._path())

    def score(self, clips: Sequence[ClipView]) -> Sequence[Mapping[str, object]]:
        """The judgement of each clip; None for one without an embedding.

        Raises:
            MediaError: An embedding is of another width than the head wants.
        """
        return [{"aesthetic": self._judge(clip)} for clip in clips]

    def _judge(self, clip: ClipView) -> float | None:
        if clip.embedding is None:
            return None
        # In double precision and one by one: what a clip gets does not depend on its neighbours.
        value = np.asarray(clip.embedding, np.float64)
        width = self._layers[0][0].shape[1]
        if value.shape != (width,):
            raise MediaError(
                ErrorKind.preview, f"the embedding has {value.size} numbers, the head of aesthetic wants {width}"
            )
        for weights, biases in self._layers:
            value = weights.astype(np.float64) @ value + biases
        return float(value[0]) if np.isfinite(value[0]) else None

    def _path(self) -> Path:
        if self.config.weights is None:
            raise ConfigError("aesthetic.weights is not set")
        path = Path(self.config.weights)
        check_file(path, "aesthetic.weights")
        return path


def read_head(path: Path) -> list[Layer]:
    """The layers of a head, first to last; what lies between them in training (dropout) does nothing here.

    Source: github.com/christophschuhmann/improved-aesthetic-predictor, `simple_inference.py` (`layers.N.weight`), and
    github.com/LAION-AI/aesthetic-predictor (`weight`, `bias`). Neither has an activation.

    Raises:
        ConfigError: The file holds neither, or its layers do not follow from each other.
    """
    tensors = read_tensors(path, "aesthetic.weights")
    wrong = f"aesthetic.weights: {path} is no head of LAION's"
    if set(tensors) == {"weight", "bias"}:
        names = [""]
    else:
        numbers = sorted({name.split(".")[1] for name in tensors if name.startswith("layers.")}, key=_number)
        names = [f"layers.{number}." for number in numbers]
        if not names or set(tensors) != {f"{name}{part}" for name in names for part in ("weight", "bias")}:
            raise ConfigError(
                f"{wrong}: it holds neither `weight` and `bias` nor `layers.N.weight` and `layers.N.bias`"
            )
    layers = [(_array(tensors[f"{name}weight"]), _array(tensors[f"{name}bias"])) for name in names]
    for weights, biases in layers:
        if weights.ndim != 2 or biases.shape != weights.shape[:1]:
            raise ConfigError(f"{wrong}: weights of shape {weights.shape} do not go with biases of {biases.shape}")
    for (before, _), (after, _) in pairwise(layers):
        if before.shape[0] != after.shape[1]:
            raise ConfigError(f"{wrong}: a layer gives {before.shape[0]} numbers and the next takes {after.shape[1]}")
    if layers[-1][0].shape[0] != 1:
        raise ConfigError(f"{wrong}: it gives {layers[-1][0].shape[0]} numbers a picture, not one")
    return layers


def _number(text: str) -> tuple[bool, int, str]:
    return (not text.isdigit(), int(text) if text.isdigit() else 0, text)


def _array(tensor: torch.Tensor) -> npt.NDArray[np.float32]:
    return np.asarray(tensor.float().numpy(), np.float32)
