"""Captioners measured on the same clips, side by side: the captioner's own measures, and the CLIP score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from captioner import make_engine
from captioner.evaluate import EvaluateConfig, captions_of, fact_scores, judged, reference_scores
from captioner.finetune import CaptionPair
from captioner.frames import ClipReader
from pipeline.clip import ClipConfig, find_clip, load_clip
from pipeline.media import MediaLimits
from pipeline.storage import spooled
from schemas import MediaError
from schemas.caption import CaptionKind

Table = dict[str, dict[str, float | int | None]]
"""Measures by captioner."""
_REFERENCES = (CaptionKind.dense, CaptionKind.original, CaptionKind.short)
"""What a caption is compared with: the first that there is."""


def captioner_table(
    config: EvaluateConfig, pairs: Sequence[CaptionPair], clip: str | None, say: Callable[[str], None]
) -> Table:
    """Measure each captioner of a config.

    Args:
        config: Which, and on how many clips.
        pairs: Clips with what is known of them.
        clip: A CLIP model's weights; None for no CLIP score.
        say: Told of the progress.

    Raises:
        ConfigError: A model cannot be had.
    """
    order = np.random.default_rng(config.seed).permutation(len(pairs))[: config.num_clips]
    chosen = [pairs[index] for index in sorted(order.tolist())]
    facts = {pair.span.clip_id: pair.facts for pair in chosen if pair.facts}
    references = {pair.span.clip_id: _reference(pair) for pair in chosen}
    limits = MediaLimits()
    texts: dict[str, Mapping[str, str]] = {}
    table: Table = {}
    for rival in config.captioners:
        say(f"{rival.name}: {len(chosen)} clips")
        engine = make_engine(rival.engine)
        engine.setup()
        said = captions_of(rival, engine, chosen, config.frames, config.readers, limits=limits, open_source=spooled)
        engine.close()
        texts[rival.name] = said.texts
        row: dict[str, float | int | None] = {
            "clips": len(chosen),
            "refused": len(said.refused),
            "unreadable": len(said.unreadable),
        }
        row |= {score.attribute: score.accuracy for score in fact_scores(facts, said.texts)}
        row |= reference_scores({clip_id: [text] for clip_id, text in references.items()}, said.texts)
        table[rival.name] = row
    if config.judge is not None:
        judge = make_engine(config.judge)
        judge.setup()
        for name, own in texts.items():
            table[name]["judge"] = _mean(judged(references, own, judge).values())
        judge.close()
    if clip is not None:
        for name, score in _clip_scores(clip, config, chosen, texts).items():
            table[name]["clip_score"] = score
    return table


def _reference(pair: CaptionPair) -> str:
    return next(pair.texts[kind][0] for kind in (*_REFERENCES, *pair.texts) if pair.texts.get(kind))


def _mean(values: Any) -> float | None:
    listed = list(values)
    return float(np.mean(listed)) if listed else None


def _clip_scores(
    weights: str, config: EvaluateConfig, pairs: Sequence[CaptionPair], texts: Mapping[str, Mapping[str, str]]
) -> dict[str, float | None]:
    """Mean CLIP score of each captioner: 2.5 times the cosine of text and clip, not below 0.

    Source: Hessel et al. 2021 (CLIPScore), equation 1; a clip is the mean of its pictures.
    """
    model = load_clip(find_clip(ClipConfig(weights=weights), "clip"), what="clip")
    reader = ClipReader(config.frames, MediaLimits(), spooled)
    pictures: dict[str, Any] = {}
    for pair in pairs:
        try:
            window = reader.read(pair.video.uri, pair.video.probed(), pair.span, from_start=pair.video.is_repaired)
        except MediaError:
            # Told in the table's row `unreadable`.
            continue
        mean = model.encode_pictures([np.ascontiguousarray(frame) for frame in window.frames]).mean(axis=0)
        pictures[pair.span.clip_id] = mean / max(float(np.linalg.norm(mean)), 1e-12)
    reader.close()
    scores: dict[str, float | None] = {}
    for name, own in texts.items():
        both = [clip_id for clip_id in own if clip_id in pictures]
        cosines = [
            float(text @ pictures[clip_id])
            for clip_id, text in zip(both, model.encode_texts([own[clip_id] for clip_id in both]), strict=True)
        ]
        scores[name] = _mean(2.5 * max(cosine, 0.0) for cosine in cosines)
    return scores
