"""What a scorer's stage is given: all clips of one video, with what is known of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.manifest import Manifest
from pipeline.scorers.pictures import CropShape
from pipeline.shares import Share
from schemas import Row, digest

READS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "pictures": {"clips": ("clip_id", "video_id", "width", "height", "crop_x", "crop_y", "crop_width", "crop_height")},
    "embedding": {"scores/embedding": ("clip_id", "video_id", "embedding")},
    "text": {"captions": ("clip_id", "video_id", "kind", "caption_set", "text")},
}
"""Columns to read, by table, for each thing that a scorer may need; `clips` in any case."""
_CLIPS_A_SHARE = 100_000
"""Clips in memory at once: with embeddings of 512 some 300 MB, without some 50 MB."""
_SHAPE = ("width", "height", "crop_x", "crop_y", "crop_width", "crop_height")


@dataclass(frozen=True, slots=True)
class KnownClip:
    """What is known of a clip before its pictures are looked at."""

    clip_id: str
    shape: CropShape
    embedding: npt.NDArray[np.float32] | None = None
    """float32 (width,); values are those of float16."""
    text: str | None = None
    """Its original caption."""


@dataclass(frozen=True, slots=True)
class VideoClips:
    """All clips of one video."""

    video_id: str
    num_clips: int
    seconds_a_clip: float
    """Roughly how long the scorer takes for each."""
    clips: str
    """JSON of a list: `KnownClip` as `packed` writes it."""
    upstream: str
    """Digest of the units, and of the texts, that the scores depend on."""

    @property
    def input_id(self) -> str:
        """The video's id."""
        return self.video_id

    @property
    def cost_s(self) -> float:
        """Estimated from the number of clips."""
        return 0.001 + self.num_clips * self.seconds_a_clip

    def to_row(self) -> Row:
        """Its fields."""
        return asdict(self)

    def known(self) -> list[KnownClip]:
        """Its clips in order of their ids."""
        return [_unpacked(values) for values in json.loads(self.clips)]


def packed(row: Mapping[str, Any], embedding: Any = None, text: str | None = None) -> dict[str, Any]:
    """A clip as text and numbers.

    Args:
        row: `clip_id` and the shape of its crop, as in the table `clips`.
        embedding: Numbers, or None; kept as float16 in base64.
        text: Its original caption.
    """
    values: dict[str, Any] = {"clip_id": row["clip_id"], "shape": [row[name] for name in _SHAPE]}
    if embedding is not None:
        values["embedding"] = base64.b64encode(np.asarray(embedding, "<f2").tobytes()).decode("ascii")
    if text is not None:
        values["text"] = text
    return values


def _unpacked(values: Mapping[str, Any]) -> KnownClip:
    embedding = None
    if "embedding" in values:
        embedding = np.frombuffer(base64.b64decode(values["embedding"]), "<f2").astype(np.float32)
    shape = CropShape(**dict(zip(_SHAPE, values["shape"], strict=True)))
    return KnownClip(values["clip_id"], shape, embedding, values.get("text"))


def video_clips(
    manifest: Manifest, needs: frozenset[str], seconds_a_clip: float, *, clips_a_share: int = _CLIPS_A_SHARE
) -> Iterator[VideoClips]:
    """The clips of every video that was scanned, in order of video id; also videos without clips.

    Tables are read in shares of the video ids, which are evenly spread, so that memory does not grow with the dataset.

    Args:
        manifest: The dataset's tables.
        needs: What the scorer looks at: `pictures`, `embedding`, `text`.
        seconds_a_clip: Roughly how long it takes for one.
        clips_a_share: How many clips are in memory at once.
    """
    for share in manifest.shares(clips_a_share, "clips", "videos"):
        yield from _of_share(manifest, needs, seconds_a_clip, share)


def _of_share(manifest: Manifest, needs: frozenset[str], seconds_a_clip: float, share: Share) -> Iterator[VideoClips]:
    scans = _unit_keys(manifest, "scan", share)
    if not scans:
        return
    mine = share.where("video_id")
    embedded = _unit_keys(manifest, "embedding", share) if "embedding" in needs else {}
    embeddings = _embeddings(manifest, mine) if "embedding" in needs else {}
    texts = _texts(manifest, mine) if "text" in needs else {}
    clips: dict[str, list[dict[str, Any]]] = {}
    columns = READS["pictures"]["clips"]
    for row in _rows(manifest.read("clips", columns, where=mine).sort_by("clip_id")):
        known = packed(row, embeddings.get(row["clip_id"]), texts.get(row["clip_id"]))
        clips.setdefault(row["video_id"], []).append(known)
    for video_id in sorted(scans):
        listed = clips.get(video_id, [])
        yield VideoClips(
            video_id,
            num_clips=len(listed),
            seconds_a_clip=seconds_a_clip,
            clips=json.dumps(listed, separators=(",", ":")),
            upstream=input_digest(
                scans[video_id],
                embedding=embedded.get(video_id) if "embedding" in needs else None,
                texts=[known.get("text") for known in listed] if "text" in needs else None,
            ),
        )


def input_digest(scan: str, *, embedding: str | None = None, texts: list[str | None] | None = None) -> str:
    """What the scores of a video's clips depend on, beside the scorer itself.

    Args:
        scan: The unit key of its scan, which settles its clips and their pictures.
        embedding: The unit key of its embeddings, where they are looked at and there are any.
        texts: The captions of its clips, in order of clip ids, where they are looked at.
    """
    return digest({"scan": scan, "embedding": embedding, "texts": texts})


def _unit_keys(manifest: Manifest, stage: str, share: Share) -> dict[str, str]:
    """The unit key of each video that a stage has done; of the scan only those that succeeded.

    A video of which the scorer could not do some clips has embeddings of the others.
    """
    where = (pc.field("stage") == stage) & share.where("input_id")
    if stage == "scan":
        where &= pc.field("outcome") == "ok"
    rows = manifest.read("ledger", ["input_id", "unit_key"], where=where)
    return dict(zip(rows["input_id"].to_pylist(), rows["unit_key"].to_pylist(), strict=True))


def _embeddings(manifest: Manifest, where: Any) -> dict[str, Any]:
    table = manifest.read("scores/embedding", ["clip_id", "embedding"], where=where)
    found: dict[str, Any] = {}
    for batch in table.to_batches():
        for clip_id, embedding in zip(batch["clip_id"].to_pylist(), batch["embedding"], strict=True):
            if embedding.is_valid:
                found[clip_id] = embedding.values.to_numpy(zero_copy_only=False)
    return found


def _texts(manifest: Manifest, where: Any) -> dict[str, str]:
    """The original caption of each clip; of several the first by caption set."""
    columns = ["clip_id", "caption_set", "text"]
    rows = manifest.read("captions", columns, where=where & (pc.field("kind") == "original"))
    rows = rows.filter(pc.is_valid(rows["text"])).sort_by([("caption_set", "descending")])
    return dict(zip(rows["clip_id"].to_pylist(), rows["text"].to_pylist(), strict=True))


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(max_chunksize=10_000):
        yield from batch.to_pylist()
