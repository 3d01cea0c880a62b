"""Which clips an autoencoder learns from: all that the scan found, whether they were kept or not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import pyarrow.compute as pc

from pipeline.manifest import Manifest
from schemas import ConfigError, Probe

_COLUMNS = (
    *("clip_id", "video_id", "start_pts", "end_pts", "time_base_num", "time_base_den", "num_frames"),
    *("crop_x", "crop_y", "crop_width", "crop_height"),
)


@dataclass(frozen=True, slots=True)
class TrainingClip:
    """A clip, and where it is read."""

    clip_id: str
    video_id: str
    uri: str
    probe_json: str
    is_repaired: bool
    start_pts: int
    end_pts: int
    time_base: Fraction
    num_frames: int
    crop: tuple[int, int, int, int]
    """x, y, width, height in the displayed picture, in pixels."""

    @property
    def probe(self) -> Probe:
        """What is known of its video."""
        return Probe.from_json(json.loads(self.probe_json))

    @property
    def frame_rate(self) -> Fraction:
        """Frames a second, of its own frames and length; 1 for a picture."""
        length_s = (self.end_pts - self.start_pts) * self.time_base
        return self.num_frames / length_s if self.num_frames > 1 and length_s > 0 else Fraction(1)


def training_clips(roots: Sequence[str]) -> list[TrainingClip]:
    """The clips of some datasets, in order of their ids.

    Args:
        roots: Datasets with the tables of the scan.

    Raises:
        ConfigError: There are none.
    """
    found: dict[str, TrainingClip] = {}
    for root in roots:
        manifest = Manifest(root)
        probes = {
            (row["video_id"], row["uri"]): row["probe"]
            for row in manifest.read(
                "files", ["video_id", "uri", "probe"], where=pc.field("video_id").is_valid()
            ).to_pylist()
        }
        videos = {
            row["video_id"]: row
            for row in manifest.read("videos", ["video_id", "uri", "num_repaired_pts"]).to_pylist()
            if (row["video_id"], row["uri"]) in probes
        }
        for row in manifest.read("clips", _COLUMNS).to_pylist():
            video = videos.get(row["video_id"])
            if video is None:
                continue
            found[row["clip_id"]] = TrainingClip(
                clip_id=row["clip_id"],
                video_id=row["video_id"],
                uri=video["uri"],
                probe_json=probes[row["video_id"], video["uri"]],
                is_repaired=bool(video["num_repaired_pts"]),
                start_pts=row["start_pts"],
                end_pts=row["end_pts"],
                time_base=Fraction(row["time_base_num"], row["time_base_den"]),
                num_frames=row["num_frames"],
                crop=(row["crop_x"], row["crop_y"], row["crop_width"], row["crop_height"]),
            )
    if not found:
        raise ConfigError(f"{', '.join(roots)}: there are no clips; `rushes run` finds them")
    return [found[clip_id] for clip_id in sorted(found)]


def split(clips: Sequence[TrainingClip], share: float) -> tuple[list[TrainingClip], list[TrainingClip]]:
    """Those to learn from, and those of a share of the videos that are kept back; the same in every run."""
    limit = round(share * 0x1_0000_0000)
    learnt = [clip for clip in clips if int(clip.video_id[-8:], 16) >= limit]
    kept = [clip for clip in clips if int(clip.video_id[-8:], 16) < limit]
    return learnt, kept
