"""Stage: each video is decoded once, and gives its shots, its clips, their scores and preview pictures."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pipeline.dataset import Dataset
from pipeline.media import MediaLimits
from pipeline.previews import write_previews
from pipeline.scan import ScanConfig, VideoScanner
from pipeline.storage import spooled
from schemas import ErrorKind, MediaError, Probe, Resources, Result, Row

_PIXELS_A_S = 150e6
"""Pixels that one core decodes in a second, roughly (H.264, 1080p: 70 frames)."""


@dataclass(frozen=True, slots=True)
class ScanInput:
    """One video to decode."""

    video_id: str
    uri: str
    """One of the files with this content."""
    num_bytes: int
    """How long that file is; another length means another content."""
    probe: str
    """`Probe.to_json`, as text."""

    @property
    def input_id(self) -> str:
        """The video's id."""
        return self.video_id

    @property
    def is_image(self) -> bool:
        """Whether it is a still picture."""
        return bool(json.loads(self.probe)["is_image"])

    @property
    def cost_s(self) -> float:
        """Estimated from the number of pixels."""
        probe = Probe.from_json(json.loads(self.probe))
        rate = float(probe.frame_rate or 25)
        frames = probe.num_frames or int((probe.duration_s or 1.0) * rate) or 1
        return 0.01 + frames * probe.coded_width * probe.coded_height / _PIXELS_A_S

    def to_row(self) -> Row:
        """Its fields."""
        return asdict(self)


class ScanVideos:
    """Stage: one `Result` a video, with rows for `videos`, `shots`, `clips`, `scores/scan` and `fingerprints`.

    Args:
        config: How to cut and what to measure.
        limits: What a decoder may use.
        dataset: Where preview pictures go.
    """

    name = "scan"
    version = 4
    reads: Mapping[str, tuple[str, ...]] = {"files": ("video_id", "uri", "num_bytes", "outcome", "probe")}
    writes = ("videos", "shots", "clips", "scores/scan", "fingerprints")
    resources = Resources(cpus=1)
    batch_size = 1

    def __init__(self, config: ScanConfig, limits: MediaLimits, dataset: str) -> None:
        self.config = config
        self.limits = limits
        self.dataset = dataset
        self._scanner: VideoScanner | None = None
        self._place: Dataset | None = None

    def load(self, row: Row) -> ScanInput:
        """The input that `to_row` gave."""
        return ScanInput(**row)  # type: ignore[arg-type]

    def failed(self, item: ScanInput, error: MediaError) -> Result:
        """A video that could not be scanned has its row, with nothing counted."""
        rows = {"videos": [video_row(item, Probe.from_json(json.loads(item.probe)))]}
        return Result(item.video_id, rows=rows, error=error)

    def setup(self) -> None:
        """Start the decoder's child process."""
        self._scanner = VideoScanner(self.config, self.limits)
        self._place = Dataset(self.dataset)

    def close(self) -> None:
        """End it."""
        if self._scanner is not None:
            self._scanner.close()

    def __call__(self, items: Sequence[ScanInput]) -> Iterator[Result]:
        """Scan the videos one after the other."""
        for item in items:
            yield self._scan(item)

    def _scan(self, item: ScanInput) -> Result:
        assert self._scanner is not None
        assert self._place is not None
        started = time.monotonic()
        probe = Probe.from_json(json.loads(item.probe))
        try:
            with spooled(item.uri) as path:
                _check_length(path, item)
                scanned = self._scanner.scan(path, item.video_id, probe)
        except MediaError as error:
            write_previews(self._place, item.video_id, [])
            return replace(self.failed(item, error), busy_s=time.monotonic() - started)
        write_previews(self._place, item.video_id, scanned.previews)
        counted = video_row(item, probe) | dict(scanned.counts)
        return Result(
            item.video_id,
            rows={"videos": [counted], **scanned.rows},
            busy_s=time.monotonic() - started,
            frames=scanned.num_frames,
        )


def video_row(item: ScanInput, probe: Probe) -> dict[str, object]:
    """The `videos` row that the probe alone gives; what the scan counts is null."""
    values: dict[str, object] = asdict(probe)
    for name in ("frame_rate", "sample_aspect"):
        ratio = getattr(probe, name)
        del values[name]
        values[f"{name}_num"] = None if ratio is None else ratio.numerator
        values[f"{name}_den"] = None if ratio is None else ratio.denominator
    values["num_frames"] = None
    return {"video_id": item.video_id, "uri": item.uri, "num_bytes": item.num_bytes, **values}


def _check_length(path: str, item: ScanInput) -> None:
    if Path(path).stat().st_size != item.num_bytes:
        raise MediaError(ErrorKind.changed, f"{item.uri}: is no longer the file that was probed")
