"""Check generated frames: for nakedness, and for what looks like something on a blocklist."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from infra.policy.config import Category, PicturesConfig
from infra.policy.policy import Refusal
from pipeline.scorers.embedding import Embedding
from pipeline.scorers.safety import Safety
from pipeline.scorers.scorer import ClipView

NAKEDNESS = "nakedness in a frame"
BLOCKED = "a frame like one of the blocklist"


class PictureFilter(Protocol):
    """Says of frames whether they may be written."""

    def __call__(self, frames: npt.NDArray[np.uint8], rate: float) -> Refusal | None:
        """Why they are refused; uint8 (F, H, W, 3), display RGB, so many a second."""


class FrameFilter:
    """Looks at some frames of each output with the scorers of the pipeline.

    Args:
        config: What for.

    Raises:
        ConfigError: A detector, a blocklist or a model is not there.
    """

    def __init__(self, config: PicturesConfig) -> None:
        self._config = config
        self._safety = Safety(config.safety, config.embedding)
        self._embedding = Embedding(config.embedding) if "embedding" in self._safety.needs else None
        self._safety.models()
        self._safety.setup()
        if self._embedding is not None:
            self._embedding.setup()

    def __call__(self, frames: npt.NDArray[np.uint8], rate: float) -> Refusal | None:
        """Why they are refused; uint8 (F, H, W, 3), display RGB, so many a second."""
        every = max(1, round(rate / self._config.frames_a_second))
        clips = [ClipView(clip_id=str(number), pictures=[frame]) for number, frame in enumerate(frames[::every])]
        if self._embedding is not None:
            found = self._embedding.score(clips)
            clips = [
                ClipView(
                    clip_id=clip.clip_id, pictures=clip.pictures, embedding=np.asarray(one["embedding"], np.float32)
                )
                for clip, one in zip(clips, found, strict=True)
            ]
        for scores in self._safety.score(clips):
            nudity, similarity = scores["nudity_score"], scores["blocklist_similarity"]
            if isinstance(nudity, float) and nudity > self._config.max_nudity:
                return Refusal(Category.sexual, NAKEDNESS)
            if isinstance(similarity, float) and similarity > self._config.max_similarity:
                return Refusal(Category.other, BLOCKED)
        return None


def is_configured(config: PicturesConfig) -> bool:
    """Whether there is anything that frames are checked for."""
    return config.safety.nudity is not None or config.safety.blocklist is not None
