"""How well a CLIP tells which caption belongs to which clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from pipeline.clip.model import ClipModel, Embeddings, unit_rows
from pipeline.clip.pairs import CaptionedClip
from schemas import ConfigError

_BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipEvaluation:
    """Retrieval among N clips, and how far true pairs lie above false ones."""

    num_clips: int
    text_to_clip_r1: float
    """Share of captions whose own clip is the nearest of all, 0 to 1; 1/N by chance."""
    text_to_clip_r5: float
    """Share of captions whose own clip is among the five nearest."""
    clip_to_text_r1: float
    """Share of clips whose own caption is the nearest of all."""
    auc: float
    """How often a true pair's cosine is above a false pair's, 0 to 1; 0.5 by chance."""
    mean_true: float
    """Mean cosine of true pairs."""
    mean_false: float
    """Mean cosine of all other pairs."""

    def to_json(self) -> dict[str, float]:
        """Its values by name."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def evaluate(model: ClipModel, clips: Sequence[CaptionedClip]) -> ClipEvaluation:
    """Measure a model on captioned clips, each seen as the scorer sees it: the mean of its pictures.

    Raises:
        ConfigError: There are fewer than two clips, or one has no picture.
    """
    if len(clips) < 2:
        raise ConfigError(f"an evaluation needs at least two clips with captions, there are {len(clips)}")
    images = []
    for clip in clips:
        pictures = clip.pictures()
        if not pictures:
            raise ConfigError(f"{clip.dataset.root}: clip {clip.clip_id} has a caption and no preview picture")
        images.append(unit_rows(model.encode_pictures(pictures).mean(axis=0)))
    texts = [model.encode_texts([clip.text for clip in clips[at : at + _BATCH]]) for at in range(0, len(clips), _BATCH)]
    return compare(np.stack(images), np.concatenate(texts))


def compare(images: Embeddings, texts: Embeddings) -> ClipEvaluation:
    """Measure embeddings of which row i of the one belongs to row i of the other, (N, width) each."""
    cosines = texts @ images.T
    own = np.diagonal(cosines)
    is_false = ~np.eye(len(own), dtype=bool)
    others = cosines[is_false]
    return ClipEvaluation(
        num_clips=len(own),
        text_to_clip_r1=float((_rank(cosines) < 1).mean()),
        text_to_clip_r5=float((_rank(cosines) < 5).mean()),
        clip_to_text_r1=float((_rank(cosines.T) < 1).mean()),
        auc=area_under_curve(own, others),
        mean_true=float(own.mean()),
        mean_false=float(others.mean()),
    )


def _rank(cosines: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """For each row, how many columns lie above its own, or level with it."""
    return np.asarray((cosines >= np.diagonal(cosines)[:, None]).sum(axis=1) - 1)


def area_under_curve(true: npt.NDArray[np.float32], false: npt.NDArray[np.float32]) -> float:
    """How often a value of the first is above one of the second; ties count half."""
    ordered = np.sort(false)
    below = np.searchsorted(ordered, true, side="left")
    not_above = np.searchsorted(ordered, true, side="right")
    return float((below + not_above).mean() / 2 / len(ordered))
