"""One caption on many clips: what no single clip can show, found when all of them are captioned."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.manifest import Manifest
from schemas.caption import CaptionKind, CaptionOutcome

FLAG = "repeated"
_VIDEOS_AT_ONCE = 5_000


def flag_repeated(manifest: Manifest, caption_set: str, max_same: int) -> int:
    """Refuse the captions of a set whose dense text is the very one of more than `max_same` clips.

    A caption that fits so many describes none of them; a released set of another project repeats one 4,000 times.

    Args:
        manifest: The dataset's tables.
        caption_set: Which captions.
        max_same: Clips that may share a text.

    Returns:
        How many clips have lost their captions.
    """
    mine = pc.field("caption_set") == caption_set
    good = mine & (pc.field("kind") == CaptionKind.dense.value) & (pc.field("outcome") == CaptionOutcome.success.value)
    dense = manifest.read("captions", ["clip_id", "video_id", "text"], where=good)
    clips = repeated_clips(dense, max_same)
    videos = pc.unique(dense.filter(pc.is_in(dense["clip_id"], clips))["video_id"]).to_pylist()
    for begin in range(0, len(videos), _VIDEOS_AT_ONCE):
        some = videos[begin : begin + _VIDEOS_AT_ONCE]
        rows = manifest.read("captions", where=mine & pc.field("video_id").isin(some)).to_pylist()
        bad = set(clips.to_pylist())
        manifest.replace(
            "captions",
            [_refused(row) if row["clip_id"] in bad else row for row in rows],
            some,
            among=("caption_set", caption_set),
        )
    return len(clips)


def repeated_clips(dense: pa.Table, max_same: int) -> pa.Array:
    """The clips whose text is that of more than `max_same` clips, whatever its capitals and blanks.

    Args:
        dense: `clip_id, text`.
        max_same: Clips that may share a text.
    """
    plain = pc.utf8_trim_whitespace(pc.replace_substring_regex(pc.utf8_lower(dense["text"]), r"\s+", " "))
    counts = pc.value_counts(plain)
    often = counts.field("values").filter(pc.greater(counts.field("counts"), max_same))
    return pc.unique(dense["clip_id"].filter(pc.is_in(plain, often)))


def _refused(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "outcome": CaptionOutcome.refused.value, "flags": [*(row["flags"] or ()), FLAG]}
