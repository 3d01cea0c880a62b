"""What the stage `encode` is given: the bucketed clips of one video."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.manifest import Manifest
from schemas import Probe, Row, digest
from schemas.bucket import Bucket

_SPAN = ("start_pts", "end_pts", "time_base_num", "time_base_den")
_CROP = ("crop_x", "crop_y", "crop_width", "crop_height")
_BUCKET = ("frames", "height", "width", "frame_rate_num", "frame_rate_den", "frame_step", "num_tokens")
READS = {
    "videos": ("video_id", "uri", "num_repaired_pts"),
    "files": ("video_id", "uri", "probe"),
    "clips": ("clip_id", "video_id", *_SPAN, *_CROP),
    "buckets": ("clip_id", "video_id", *_BUCKET),
}
"""Columns by table."""
_CLIPS_A_SHARE = 200_000
"""Clips in memory at once."""
_TOKENS_A_S = 500.0
"""Of a CPU core and an autoencoder of some millions of parameters, roughly."""


@dataclass(frozen=True, slots=True)
class BucketedClip:
    """A clip, where it lies, and what it becomes."""

    clip_id: str
    start_pts: int
    end_pts: int
    time_base: Fraction
    crop: tuple[int, int, int, int]
    """x, y, width, height in the displayed picture, in pixels."""
    bucket: Bucket
    num_tokens: int

    @classmethod
    def unpacked(cls, values: list[Any]) -> BucketedClip:
        """The inverse of `packed`."""
        clip_id, start, end, num, den, x, y, wide, high, *of_bucket, num_tokens = values
        frames, height, width, rate_num, rate_den, step = of_bucket
        bucket = Bucket(frames, height, width, Fraction(rate_num, rate_den), step)
        return cls(clip_id, start, end, Fraction(num, den), (x, y, wide, high), bucket, num_tokens)


@dataclass(frozen=True, slots=True)
class EncodeInput:
    """The bucketed clips of one video."""

    video_id: str
    uri: str
    probe: str
    """`Probe.to_json`, as text."""
    is_repaired: bool
    """Whether times of its frames were missing or went back, so that it must be decoded from its beginning."""
    clips: str
    """JSON of a list of values, see `BucketedClip.unpacked`."""
    num_tokens: int
    """Of all of them."""

    @property
    def input_id(self) -> str:
        """The video's id."""
        return self.video_id

    @property
    def cost_s(self) -> float:
        """By the number of tokens."""
        return 0.001 + self.num_tokens / _TOKENS_A_S

    @property
    def upstream(self) -> str:
        """A digest of what its latents depend on: content, spans, crops, buckets."""
        return digest([self.video_id, self.clips])

    def to_row(self) -> Row:
        """Its fields."""
        return asdict(self)

    def listed(self) -> list[BucketedClip]:
        """Its clips, in order of ids."""
        return [BucketedClip.unpacked(values) for values in json.loads(self.clips)]

    def probed(self) -> Probe:
        """What is known of the video."""
        return Probe.from_json(json.loads(self.probe))


def encode_inputs(manifest: Manifest) -> Iterator[EncodeInput]:
    """The videos that were scanned, in order of video id; also those without bucketed clips, with none."""
    for share in manifest.shares(_CLIPS_A_SHARE, "clips"):
        yield from _among(manifest, share.where("video_id"))


def _among(manifest: Manifest, mine: pc.Expression) -> Iterator[EncodeInput]:
    buckets = manifest.read("buckets", READS["buckets"], where=mine).drop_columns(["video_id"])
    clips = manifest.read("clips", READS["clips"], where=mine)
    joined = clips.join(buckets, "clip_id", join_type="inner").sort_by("clip_id")
    listed: dict[str, list[list[Any]]] = {}
    for row in _rows(joined):
        values = [row[name] for name in ("clip_id", *_SPAN, *_CROP, *_BUCKET)]
        listed.setdefault(row["video_id"], []).append(values)
    probes = {
        (row["video_id"], row["uri"]): row["probe"]
        for row in manifest.read("files", READS["files"], where=mine & pc.field("video_id").is_valid()).to_pylist()
    }
    for video in manifest.read("videos", READS["videos"], where=mine).sort_by("video_id").to_pylist():
        probe = probes.get((video["video_id"], video["uri"]))
        if probe is None or video["num_repaired_pts"] is None:
            # Never scanned to its end.
            continue
        own = listed.get(video["video_id"], [])
        yield EncodeInput(
            video_id=video["video_id"],
            uri=video["uri"],
            probe=probe,
            is_repaired=video["num_repaired_pts"] > 0,
            clips=json.dumps(own, separators=(",", ":")),
            num_tokens=sum(values[-1] for values in own),
        )


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(max_chunksize=10_000):
        yield from batch.to_pylist()
