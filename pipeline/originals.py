"""Captions that came with the footage: one row of kind `original` for each clip of a captioned video."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.manifest import Manifest, to_table
from schemas import TABLES

KIND = "original"
CAPTION_SET = "original"
"""Not a digest: no model and no prompt made these."""
_CLIPS_A_SHARE = 200_000


def settle_originals(manifest: Manifest) -> None:
    """Bring the captions of kind `original` in line with the files' captions and the clips there are.

    They depend on two tables, neither of which makes the other's work stale: a caption may be
    corrected without a second scan.
    """
    if manifest.count("captions") == 0 and not any(manifest.batches("files", ["caption"], where=_captioned())):
        return
    for share in manifest.shares(_CLIPS_A_SHARE, "clips"):
        mine = share.where("video_id")
        files = manifest.read("files", ["uri", "video_id", "caption"], where=mine & _captioned())
        wanted = original_captions(files, manifest.read("clips", ["clip_id", "video_id"], where=mine))
        now = manifest.read("captions", where=mine & (pc.field("kind") == KIND))
        if _ordered(wanted) != _ordered(now):
            manifest.replace_share("captions", wanted, share, among=("kind", KIND))


def original_captions(files: pa.Table, clips: pa.Table) -> pa.Table:
    """Rows of `captions`, one for each clip whose video has a caption.

    Of several files with one content and different captions, the one with the smallest uri speaks.

    Args:
        files: `uri, video_id, caption`, all set.
        clips: `clip_id, video_id`.
    """
    ordered = files.select(["video_id", "caption", "uri"]).sort_by("uri")
    text_of = ordered.group_by("video_id", use_threads=False).aggregate([("caption", "first")])
    captioned = clips.join(text_of, "video_id", join_type="inner")
    same = {"kind": KIND, "caption_set": CAPTION_SET, "outcome": "success"}
    rows = captioned.rename_columns({"caption_first": "text"})
    for name, value in same.items():
        rows = rows.append_column(name, pa.array([value] * rows.num_rows, pa.string()))
    return to_table("captions", rows)


def _captioned() -> pc.Expression:
    return pc.field("caption").is_valid() & pc.field("video_id").is_valid()


def _ordered(captions: pa.Table) -> pa.Table:
    return captions.sort_by([(name, "ascending") for name in TABLES["captions"].key]).combine_chunks()
