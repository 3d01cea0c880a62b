"""What a clip looks like as one vector: the mean of its pictures' CLIP embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pipeline.clip import ClipConfig, ClipModel, find_clip, load_clip
from pipeline.clip.model import unit_rows
from pipeline.scorers.scorer import ClipView
from schemas import Resources


class EmbeddingConfig(ClipConfig):
    """Which model embeds the clips; the captions that came with them are embedded by the same."""


def missing(config: EmbeddingConfig) -> str:
    """What must be configured first; empty where nothing is."""
    return "" if config.weights is not None else "needs embedding.weights"


class Embedding:
    """Scorer: embed the preview pictures of each clip."""

    name = "embedding"
    version = 1
    needs = frozenset({"pictures"})

    def __init__(self, config: EmbeddingConfig) -> None:
        self.config = config
        self.resources = Resources(gpus=config.gpus)
        self.batch_clips = config.batch_clips
        # Three pictures through a ViT-B-32 on one core; the large models take ten times as long.
        self.seconds_a_clip = 0.02 if config.gpus else 0.3
        self._model: ClipModel | None = None

    def models(self) -> Mapping[str, str]:
        """The digest of the model.

        Raises:
            ConfigError: It is not there, cannot be downloaded, or its description is none.
        """
        return {"embedding": find_clip(self.config).digest}

    def setup(self) -> None:
        """Load the model.

        Raises:
            ConfigError: The weights are not what they say.
        """
        self._model = load_clip(find_clip(self.config), use_gpu=self.config.gpus > 0)

    def score(self, clips: Sequence[ClipView]) -> Sequence[Mapping[str, object]]:
        """The embedding of each clip; None for one without pictures."""
        assert self._model is not None
        encoded = self._model.encode_pictures([picture for clip in clips for picture in clip.pictures])
        rows = iter(encoded)
        return [{"embedding": pool([next(rows) for _ in clip.pictures])} for clip in clips]


def pool(rows: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32] | None:
    """The mean of embeddings, (width,) each, brought back to unit length, each value one of float16.

    None for no rows, and where they have no direction in common.
    """
    if not len(rows):
        return None
    rounded = unit_rows(np.mean(rows, axis=0)).astype(np.float16).astype(np.float32)
    return rounded if np.isfinite(rounded).all() else None
