"""After a captioning run: do its captions sit on their own clips?"""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from captioner.integrity import Integrity, permutation_test
from pipeline.clip import find_clip, load_clip
from pipeline.manifest import Manifest
from pipeline.scorers.embedding import EmbeddingConfig
from schemas.caption import CaptionKind, CaptionOutcome

_NUM_CLIPS = 256
"""Enough for a model that tells a caption from another in three cases of five, and seconds of work."""


def check_captions(manifest: Manifest, caption_set: str, config: EmbeddingConfig) -> Integrity | None:
    """The permutation test over some clips of a caption set, spread evenly over the ids.

    Args:
        manifest: With the clips' embeddings.
        caption_set: Which captions.
        config: The model that made the embeddings.

    Returns:
        What it says; None where there are no embeddings to ask.
    """
    if config.weights is None:
        return None
    good = (
        (pc.field("caption_set") == caption_set)
        & (pc.field("kind") == CaptionKind.short.value)
        & (pc.field("outcome") == CaptionOutcome.success.value)
    )
    captions = manifest.read("captions", ["clip_id", "text"], where=good).sort_by("clip_id")
    # Ids are digests: the first ones are a fair sample.
    captions = captions.slice(0, 4 * _NUM_CLIPS)
    asked = pc.field("clip_id").isin(captions["clip_id"].combine_chunks())
    embedded = manifest.read("scores/embedding", ["clip_id", "embedding"], where=asked)
    known = dict(zip(embedded["clip_id"].to_pylist(), embedded["embedding"].to_pylist(), strict=True))
    pairs = [(text, known[clip]) for clip, text in zip(*captions.to_pydict().values(), strict=True) if known.get(clip)]
    pairs = pairs[:_NUM_CLIPS]
    if not pairs:
        return permutation_test(np.zeros((0, 0)))
    pictures = np.asarray([embedding for _, embedding in pairs], np.float32)
    texts = load_clip(find_clip(config), use_gpu=config.gpus > 0).encode_texts([text for text, _ in pairs])
    return permutation_test(texts @ pictures.T)


def complaint(found: Integrity | None) -> str | None:
    """What is wrong, in a sentence; None where nothing is, or nothing can be told."""
    if found is None or found.verdict != "not aligned":
        return None
    return f"captions may not be on their own clips: {found.why}"
