"""The CLIP score of videos: how near their pictures are to their prompts, to a network that has seen neither."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from infra.evaluate.films import Frames
from pipeline.clip import ClipConfig, find_clip, load_clip

NUM_FRAMES = 4
"""Of each video, evenly spread."""


def clip_scores(weights: str, videos: Sequence[tuple[Frames, str]]) -> float:
    """The mean score: 2.5 times the cosine of a prompt and the mean of a video's pictures, not below 0.

    Args:
        weights: Of a CLIP model.
        videos: Frames, uint8 (F, H, W, 3), and prompts; at least one.

    Raises:
        ConfigError: There are no such weights.

    Source: Hessel et al. 2021 (CLIPScore), equation 1.
    """
    model = load_clip(find_clip(ClipConfig(weights=weights), "clip"), what="clip")
    texts = model.encode_texts([prompt for _, prompt in videos])
    scores = []
    for (frames, _), text in zip(videos, texts, strict=True):
        at = np.linspace(0, len(frames) - 1, NUM_FRAMES).round().astype(int)
        mean = model.encode_pictures([np.ascontiguousarray(frames[k]) for k in at]).mean(axis=0)
        scores.append(2.5 * max(float(text @ mean / max(float(np.linalg.norm(mean)), 1e-12)), 0.0))
    return float(np.mean(scores))
