from __future__ import annotations

import pytest

from infra.inspect.buckets import bucket_rows
from infra.inspect.sql import open_views
from pipeline.dataset import Dataset


def test_buckets_say_what_is_lost(empty_dataset: Dataset) -> None:
    def clip(k: int, width: int, height: int, frames: int) -> dict[str, object]:
        ids = {"clip_id": f"{k:032x}", "video_id": "v"}
        size = {"width": width, "height": height, "crop_width": width, "crop_height": height}
        return ids | size | {"num_frames": frames, "start_s": 0.0, "end_s": 2.0}

    clips = [clip(0, 1920, 1080, 50), clip(1, 1280, 720, 50), clip(2, 1280, 720, 50), clip(3, 100, 100, 10)]
    bucket = {"frames": 49, "height": 512, "width": 1024, "frame_step": 1, "num_tokens": 9}
    rows = [{"clip_id": row["clip_id"], "video_id": "v", **bucket} for row in clips[:3]]
    rows.append({"clip_id": clips[3]["clip_id"], "video_id": "v", **bucket, "frames": 5, "frame_step": 2})
    empty_dataset.manifest.append("clips", clips)
    empty_dataset.manifest.append("buckets", rows)
    with open_views(empty_dataset.manifest) as db:
        full, small = bucket_rows(db)
    assert (full.num_clips, full.seconds, full.native_sizes, full.num_sizes) == (3, 6.0, ["1280×720", "1920×1080"], 2)
    # 16:9 into 2:1 leaves eight ninths of the height; one of 50 frames does not fit.
    assert (full.area_lost, full.frames_lost) == (pytest.approx(1 / 9), pytest.approx(0.02))
    assert (small.frame_step, small.frames_lost, small.area_lost) == (2, 0.0, 0.5)
