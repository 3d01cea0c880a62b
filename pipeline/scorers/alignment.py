"""Whether the caption that came with the footage speaks of the clip: the cosine of their CLIP embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import Field

from pipeline.clip import ClipModel, find_clip, load_clip
from pipeline.clip.model import find_tokenizer
from pipeline.scorers.embedding import EmbeddingConfig
from pipeline.scorers.scorer import ClipView
from schemas import Config, ErrorKind, MediaError, Resources


class AlignmentConfig(Config):
    """How captions are compared; the model is the one that embeds the clips."""

    batch_clips: int = Field(64, ge=1, json_schema_extra={"affects_output": False})
    """Captions embedded at once."""


def missing(embedding: EmbeddingConfig) -> str:
    """What must be configured first; empty where nothing is."""
    return "" if embedding.weights is not None else "needs embedding.weights"


class Alignment:
    """Scorer: compare each clip's original caption with its embedding.

    Args:
        config: How.
        embedding: The model that made the clips' embeddings.
    """

    name = "alignment"
    version = 1
    needs = frozenset({"embedding", "text"})

    def __init__(self, config: AlignmentConfig, embedding: EmbeddingConfig) -> None:
        self.config = config
        self.embedding = embedding
        self.resources = Resources(gpus=embedding.gpus)
        self.batch_clips = config.batch_clips
        self.seconds_a_clip = 0.005 if embedding.gpus else 0.05
        self._model: ClipModel | None = None

    def models(self) -> Mapping[str, str]:
        """The digest of the model.

        Raises:
            ConfigError: It or its tokenizer cannot be had.
        """
        source = find_clip(self.embedding)
        find_tokenizer(source)
        return {"embedding": source.digest}

    def setup(self) -> None:
        """Load the model.

        Raises:
            ConfigError: The weights are not what they say.
        """
        self._model = load_clip(find_clip(self.embedding), use_gpu=self.embedding.gpus > 0)

    def score(self, clips: Sequence[ClipView]) -> Sequence[Mapping[str, object]]:
        """The cosine of each clip; None for one without a caption or without an embedding.

        Raises:
            MediaError: An embedding is not as wide as the model's.
        """
        assert self._model is not None
        width = self._model.width
        cosines: list[float | None] = [None] * len(clips)
        there = [(index, clip.embedding, clip.text or "") for index, clip in enumerate(clips)]
        pairs = [(index, embedding, text) for index, embedding, text in there if embedding is not None and text.strip()]
        for _, embedding, _ in pairs:
            if embedding.shape != (width,):
                raise MediaError(
                    ErrorKind.preview,
                    f"the embedding has {embedding.size} numbers, the model of alignment gives {width}",
                )
        texts = self._model.encode_texts([text for _, _, text in pairs])
        for (index, embedding, _), text in zip(pairs, texts, strict=True):
            # The embedding is rounded to float16, so its length is 1 only to three digits.
            cosine = float(np.dot(text, embedding) / max(float(np.linalg.norm(embedding)), 1e-9))
            cosines[index] = round(min(max(cosine, -1.0), 1.0), 6) if np.isfinite(cosine) else None
        return [{"alignment": cosine} for cosine in cosines]
