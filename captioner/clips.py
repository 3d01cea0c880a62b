"""What the captioner's stage is given: the chosen clips of one video."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import pyarrow.compute as pc

from captioner.frames import ClipSpan
from pipeline.manifest import Manifest
from schemas import Probe, Row, digest

READS = {
    "videos": ("video_id", "uri", "num_repaired_pts"),
    "files": ("video_id", "uri", "probe"),
    "clips": (
        *("clip_id", "video_id", "start_pts", "end_pts", "time_base_num", "time_base_den"),
        *("crop_x", "crop_y", "crop_width", "crop_height"),
    ),
    "selection": ("clip_id", "video_id", "kept"),
}
"""Columns by table."""
_CLIPS_A_SHARE = 200_000
"""Clips in memory at once."""


@dataclass(frozen=True, slots=True)
class CaptionInput:
    """The kept clips of one video."""

    video_id: str
    uri: str
    probe: str
    """`Probe.to_json`, as text."""
    is_repaired: bool
    """Whether times of its frames were missing or went back, so that it must be decoded from its beginning."""
    clips: str
    """JSON of a list of `[clip_id, start_pts, end_pts, time_base_num, time_base_den, x, y, width, height]`."""
    num_clips: int
    seconds_a_clip: float

    @property
    def input_id(self) -> str:
        """The video's id."""
        return self.video_id

    @property
    def cost_s(self) -> float:
        """By the number of clips."""
        return 0.001 + self.num_clips * self.seconds_a_clip

    @property
    def upstream(self) -> str:
        """A digest of what its captions depend on: content, spans and crops, which the ids stand for."""
        return digest([self.video_id, self.clips])

    def to_row(self) -> Row:
        """Its fields."""
        return asdict(self)

    def spans(self) -> list[ClipSpan]:
        """Its clips, in order of time."""
        return [
            ClipSpan(clip_id=clip_id, start_pts=start, end_pts=end, time_base=Fraction(num, den), crop=(x, y, w, h))
            for clip_id, start, end, num, den, x, y, w, h in json.loads(self.clips)
        ]

    def probed(self) -> Probe:
        """What is known of the video."""
        return Probe.from_json(json.loads(self.probe))


def caption_inputs(manifest: Manifest, seconds_a_clip: float, *, only_kept: bool = True) -> Iterator[CaptionInput]:
    """The videos with kept clips, in order of video id; also those of which none is kept, with no clips.

    Args:
        manifest: The dataset's tables.
        seconds_a_clip: Roughly how long a worker takes for one.
        only_kept: Whether clips are left out that the selection has dropped, or has not judged.
    """
    for share in manifest.shares(_CLIPS_A_SHARE, "selection" if only_kept else "clips"):
        yield from _among(manifest, seconds_a_clip, share.where("video_id"), only_kept=only_kept)


def _among(
    manifest: Manifest, seconds_a_clip: float, mine: pc.Expression, *, only_kept: bool
) -> Iterator[CaptionInput]:
    clips = manifest.read("clips", READS["clips"], where=mine).sort_by("start_pts")
    if only_kept:
        kept = manifest.read("selection", ["clip_id"], where=mine & pc.field("kept"))["clip_id"]
        clips = clips.filter(pc.is_in(clips["clip_id"], kept.combine_chunks()))
    listed: dict[str, list[list[Any]]] = {}
    for row in clips.to_pylist():
        values = [row[name] for name in READS["clips"] if name != "video_id"]
        listed.setdefault(row["video_id"], []).append(values)
    probes = {
        (row["video_id"], row["uri"]): row["probe"]
        for row in manifest.read("files", READS["files"], where=mine & pc.field("video_id").is_valid()).to_pylist()
    }
    videos = manifest.read("videos", READS["videos"], where=mine).sort_by("video_id").to_pylist()
    for video in videos:
        probe = probes.get((video["video_id"], video["uri"]))
        if probe is None or video["num_repaired_pts"] is None:
            # Never scanned to its end.
            continue
        own = listed.get(video["video_id"], [])
        yield CaptionInput(
            video_id=video["video_id"],
            uri=video["uri"],
            probe=probe,
            is_repaired=video["num_repaired_pts"] > 0,
            clips=json.dumps(own, separators=(",", ":")),
            num_clips=len(own),
            seconds_a_clip=seconds_a_clip,
        )
