"""Captions that came with the footage: one row of kind `original` for each clip of a captioned video."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.manifest import Manifest, to_table
from schemas import TABLES

KIND = "original"
CAPTION_SET = "original"
"""Not a digest: no model and no prompt made these."""


def settle_originals(manifest: Manifest) -> None:
    """Bring the captions of kind `original` in line with the files' captions and the clips there are.

    They depend on two tables, neither of which makes the other's work stale: a caption may be
    corrected without a second scan.
    """
    captioned = manifest.read(
        "files",
        ["uri", "video_id", "caption"],
        where=pc.field("caption").is_valid() & pc.field("video_id").is_valid(),
    )
    now = manifest.read("captions", where=pc.field("kind") == KIND)
    if captioned.num_rows == now.num_rows == 0:
        return
    wanted = original_captions(captioned, manifest.read("clips", ["clip_id", "video_id"]))
    if _ordered(wanted) != _ordered(now):
        manifest.replace_where("captions", wanted, "kind", KIND)


def original_captions(files: pa.Table, clips: pa.Table) -> pa.Table:
    """Rows of `captions`, one for each clip whose video has a caption.

    Of several files with one content and different captions, the one with the smallest uri speaks.

    Args:
        files: `uri, video_id, caption`, all set.
        clips: `clip_id, video_id`.
    """
    caption_of: dict[str, str] = {}
    for row in files.sort_by("uri").to_pylist():
        caption_of.setdefault(row["video_id"], row["caption"])
    rows = [
        {
            "clip_id": clip["clip_id"],
            "video_id": clip["video_id"],
            "kind": KIND,
            "caption_set": CAPTION_SET,
            "text": caption_of[clip["video_id"]],
            "outcome": "success",
        }
        for clip in clips.to_pylist()
        if clip["video_id"] in caption_of
    ]
    return to_table("captions", rows)


def _ordered(captions: pa.Table) -> pa.Table:
    return captions.sort_by([(name, "ascending") for name in TABLES["captions"].key]).combine_chunks()
