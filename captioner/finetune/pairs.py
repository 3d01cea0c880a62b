"""Clips of datasets with the captions that a captioner is to learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow.compute as pc

from captioner.clips import CaptionInput, caption_inputs
from captioner.finetune.answers import Answers, read_answers
from captioner.frames import ClipSpan
from pipeline.manifest import Manifest
from schemas import ConfigError, digest
from schemas.caption import CaptionKind, CaptionOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionPair:
    """A clip and what may be answered about it."""

    video: CaptionInput
    span: ClipSpan
    texts: Mapping[CaptionKind, tuple[str, ...]]
    """By kind; several where several caption sets tell of the clip."""
    facts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Phrases that a right caption holds, by attribute."""


def caption_pairs(
    manifests: Sequence[Manifest], *, answers: Sequence[str] = (), caption_set: str | None = None
) -> list[CaptionPair]:
    """Every clip of these datasets that has a caption, in order of clip id.

    Args:
        manifests: Their tables.
        answers: Files of captions; without any, those in the tables.
        caption_set: Which of the tables' caption sets; None for all.

    Raises:
        ConfigError: There is none, or the file is wrong.
    """
    known = read_answers(answers) if answers else None
    pairs: list[CaptionPair] = []
    for manifest in manifests:
        written = {} if known is not None else _written(manifest, caption_set)
        for video in caption_inputs(manifest, 0.0, only_kept=False):
            for span in video.spans():
                pair = answered(video, span, known) if known is not None else None
                if known is None and span.clip_id in written:
                    pair = CaptionPair(video=video, span=span, texts=written[span.clip_id])
                if pair is not None:
                    pairs.append(pair)
    if not pairs:
        source = f"answers: {', '.join(answers)}" if answers else f"caption_set: {caption_set or 'any'}"
        raise ConfigError(f"{source}: no clip of the dataset has a caption there")
    return sorted(pairs, key=lambda pair: pair.span.clip_id)


def split(pairs: Sequence[CaptionPair], ratio: float) -> tuple[list[CaptionPair], list[CaptionPair]]:
    """Those to learn from and those kept back; all clips of a video lie on one side, whatever else there is.

    Args:
        pairs: All.
        ratio: Of the videos, kept back.
    """
    sides: tuple[list[CaptionPair], list[CaptionPair]] = ([], [])
    for pair in pairs:
        place = int(digest(["caption held out", pair.video.video_id])[:8], 16) / 16**8
        sides[place < ratio].append(pair)
    return sides


def answered(video: CaptionInput, span: ClipSpan, answers: Answers) -> CaptionPair | None:
    """A clip with what files of answers say of it; None where they say nothing."""
    found = answers.of(span.clip_id, video.uri)
    if found is None:
        return None
    texts = {kind: (text,) for kind, text in found.texts.items()}
    return CaptionPair(video=video, span=span, texts=texts, facts=found.facts)


def _written(manifest: Manifest, caption_set: str | None) -> dict[str, dict[CaptionKind, tuple[str, ...]]]:
    """The captions of the tables by clip and kind, each set in its turn."""
    where = (pc.field("outcome") == CaptionOutcome.success.value) & pc.field("text").is_valid()
    if caption_set is not None:
        where &= pc.field("caption_set") == caption_set
    columns = ["clip_id", "kind", "caption_set", "text"]
    rows = manifest.read("captions", columns, where=where).sort_by(
        [("clip_id", "ascending"), ("caption_set", "ascending")]
    )
    found: dict[str, dict[CaptionKind, tuple[str, ...]]] = {}
    for row in rows.to_pylist():
        texts = found.setdefault(row["clip_id"], {})
        kind = CaptionKind(row["kind"])
        texts[kind] = (*texts.get(kind, ()), row["text"])
    return found
