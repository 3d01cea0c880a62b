"""What the captions of whole videos are made of: the captions of its clips, each with its place in time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import pyarrow.compute as pc

from pipeline.manifest import Manifest
from schemas import Row, digest
from schemas.caption import CaptionOutcome

READS = {
    "captions": ("clip_id", "video_id", "kind", "caption_set", "text", "outcome"),
    "clips": ("clip_id", "video_id", "start_s", "end_s"),
}
"""Columns by table."""
_CAPTIONS_A_SHARE = 200_000
"""Rows in memory at once."""


@dataclass(frozen=True, slots=True)
class Part:
    """A span of a video and what happens in it."""

    start_s: float
    """After the video's beginning."""
    end_s: float
    text: str


@dataclass(frozen=True, slots=True)
class VideoParts:
    """The captioned clips of one video."""

    video_id: str
    listed: str
    """JSON of a list of `[start_s, end_s, text]`, in order of time."""
    num_parts: int
    seconds_a_part: float

    @property
    def input_id(self) -> str:
        """The video's id."""
        return self.video_id

    @property
    def cost_s(self) -> float:
        """By the number of parts."""
        return 0.001 + self.num_parts * self.seconds_a_part

    @property
    def upstream(self) -> str:
        """A digest of what its caption depends on."""
        return digest([self.video_id, self.listed])

    def to_row(self) -> Row:
        """Its fields."""
        return asdict(self)

    def parts(self) -> list[Part]:
        """Its parts, in order of time."""
        return [Part(*values) for values in json.loads(self.listed)]


def video_parts(manifest: Manifest, caption_set: str, kind: str, seconds_a_part: float) -> Iterator[VideoParts]:
    """The videos with captions of a set, in order of video id; without parts those that have lost theirs.

    Args:
        manifest: The dataset's tables.
        caption_set: Which captions.
        kind: Of captions.
        seconds_a_part: Roughly how long a worker takes for one.
    """
    mine = pc.field("caption_set") == caption_set
    good = mine & (pc.field("kind") == kind) & (pc.field("outcome") == CaptionOutcome.success.value)
    for share in manifest.shares(_CAPTIONS_A_SHARE, "captions", "video_captions"):
        here = share.where("video_id")
        captions = manifest.read("captions", ["clip_id", "text"], where=good & here)
        clips = manifest.read("clips", READS["clips"], where=here)
        texts = dict(zip(captions["clip_id"].to_pylist(), captions["text"].to_pylist(), strict=True))
        clips = clips.filter(pc.is_in(clips["clip_id"], captions["clip_id"].combine_chunks()))
        found: dict[str, list[tuple[float, float, str]]] = {}
        for row in clips.sort_by([("start_s", "ascending"), ("clip_id", "ascending")]).to_pylist():
            found.setdefault(row["video_id"], []).append((row["start_s"], row["end_s"], texts[row["clip_id"]]))
        had = manifest.read("video_captions", ["video_id"], where=mine & here)["video_id"].to_pylist()
        for video_id in sorted({*found, *had}):
            parts = found.get(video_id, [])
            listed = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
            yield VideoParts(video_id, listed, len(parts), seconds_a_part)
