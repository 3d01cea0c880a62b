"""A dataset of made scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pipeline.dataset import Dataset

Scores = Mapping[str, float | None]


def made(root: Path, scores: Mapping[str, Scores]) -> Dataset:
    """Clips by name, two of each video; each has the scan's scores that are given, and `aesthetic` where that is."""
    dataset = Dataset(str(root))
    dataset.create()
    dataset.write_description({}, {})
    ids = {name: (name * 32)[:32] for name in scores}
    videos = {name: f"v{index // 2}" for index, name in enumerate(scores)}
    of = {name: {"clip_id": ids[name], "video_id": videos[name]} for name in scores}
    put = dataset.manifest.append
    put(
        "videos",
        [
            {"video_id": video, "uri": f"/{video}.mp4", "width": 640, "height": 360, "num_frames": 100}
            | {"num_bytes": 28_800_000, "frame_rate_num": 30_000, "frame_rate_den": 1001, "is_image": False}
            for video in dict.fromkeys(videos.values())
        ],
    )
    size = {"width": 640, "height": 360, "crop_width": 640, "crop_height": 320}
    put("clips", [row | size | {"start_s": 1.0, "end_s": 3.5, "num_frames": 75} for row in of.values()])
    scan = [of[name] | {k: v for k, v in given.items() if k != "aesthetic"} for name, given in scores.items()]
    put("scores/scan", scan)
    put(
        "scores/aesthetic",
        [of[name] | {"aesthetic": given["aesthetic"]} for name, given in scores.items() if "aesthetic" in given],
    )
    return dataset


@pytest.fixture
def make(tmp_path: Path) -> Callable[[Mapping[str, Scores]], Dataset]:
    return lambda scores: made(tmp_path / "ds", scores)
