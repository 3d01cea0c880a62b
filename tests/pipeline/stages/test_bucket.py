from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.buckets import bucket_of, coverage, render_coverage
from pipeline.dataset import Dataset
from pipeline.stages.bucket import READS, BucketConfig, compute
from schemas import TABLES

PLAIN = {
    **{"width": 1280, "height": 720, "num_frames": 50, "start_pts": 7, "end_pts": 57},
    **{"time_base_num": 1, "time_base_den": 25},
}


def dataset_of(folder: Path, rows: Sequence[dict[str, Any]]) -> Dataset:
    """One clip a row: 1280x720, 50 frames at 25 a second and kept, unless the row says else."""
    dataset = Dataset(str(folder))
    clips = [{"clip_id": f"clip-{k}", "video_id": f"of {k}", **PLAIN, **row} for k, row in enumerate(rows)]
    kept = [{"clip_id": clip["clip_id"], "kept": clip.pop("kept", True)} for clip in clips]
    dataset.manifest.append("clips", clips)
    dataset.manifest.append("selection", kept)
    return dataset


def buckets(dataset: Dataset) -> dict[str, dict[str, Any]]:
    rows = dataset.manifest.read("buckets").to_pylist()
    assert len({row["clip_id"] for row in rows}) == len(rows)
    return {row["clip_id"]: row for row in rows}


def test_each_kept_clip_has_one_bucket_and_no_other_clip_has_any(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, [{"kept": k % 3 != 0, "width": 100 + k} for k in range(100)])
    compute(dataset, BucketConfig())
    assert set(buckets(dataset)) == {f"clip-{k}" for k in range(100) if k % 3}


def test_a_row_is_what_the_function_says_of_the_clip_within_its_borders(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, [{"crop_width": 1280, "crop_height": 534}])
    config = BucketConfig()
    compute(dataset, config)
    wanted = bucket_of(1280, 534, 50, Fraction(2), config.grid())
    row = buckets(dataset)["clip-0"]
    assert row == {
        **{"clip_id": "clip-0", "video_id": "of 0", "frames": 49, "height": 528, "width": 1280, "frame_step": 1},
        **{"frame_rate_num": 25, "frame_rate_den": 1, "num_tokens": 13 * 33 * 80},
    }
    assert (wanted.frames, wanted.height, wanted.width) == (49, 528, 1280)


def test_computing_again_replaces_what_was_there(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, [{}, {}])
    compute(dataset, BucketConfig())
    dataset.manifest.replace("selection", [{"clip_id": "clip-1", "video_id": None, "kept": True}], ["of 0", "of 1"])
    compute(dataset, BucketConfig(token_budget=1000))
    assert {row["num_tokens"] <= 1000 for row in buckets(dataset).values()} == {True}
    assert len(dataset.manifest.read("buckets")) == 2


def test_a_dataset_without_a_selection_gets_no_bucket(tmp_path: Path) -> None:
    dataset = Dataset(str(tmp_path))
    compute(dataset, BucketConfig())
    assert (dataset.manifest.count("buckets"), coverage(dataset, BucketConfig())) == (0, [])


def test_what_it_reads_is_in_the_tables() -> None:
    assert all(set(columns) <= set(TABLES[table].schema.names) for table, columns in READS.items())


def test_coverage_tells_pixels_and_frames_lost_by_native_size(tmp_path: Path) -> None:
    wide = {"width": 1920, "height": 1080}
    fast = {"num_frames": 121, "end_pts": 7 + 121, "time_base_den": 60}
    dataset = dataset_of(tmp_path, [wide, wide | {"num_frames": 1, "end_pts": 8}, fast, {"width": 9, "height": 7}])
    config = BucketConfig()
    compute(dataset, config)
    large, tiny, medium = coverage(dataset, config)
    assert (large.width, large.height, large.num_clips, large.num_frames) == (1920, 1080, 2, 51)
    assert large.sizes == {(1072, 1920): 1, (912, 1632): 1}
    assert (large.cut_ratio, large.skipped_ratio) == (1 / 51, 0.0)
    assert 0 < large.crop_ratio < 0.01
    assert 0.1 < large.downscale_ratio < 0.2
    assert (medium.crop_ratio, medium.downscale_ratio) == (0.0, 0.0)
    assert (medium.skipped_ratio, medium.cut_ratio) == (60 / 121, 0.0)
    assert tiny.num_stretched == 1
    lines = render_coverage([large, tiny, medium], most=1)
    assert [line.split()[0] for line in lines[1:4]] == ["1920x1080", "2", "all"]
    assert "1 more" not in lines[2]


def test_ten_thousand_clips_of_any_kind_all_have_a_bucket(tmp_path: Path) -> None:
    rows = 10_000
    ids = pa.array([f"{k:032x}" for k in range(rows)])
    numbers = {
        name: pa.array([1 + (k * step) % limit for k in range(rows)])
        for name, step, limit in (
            ("width", 97, 4096),
            ("height", 89, 2160),
            ("num_frames", 83, 3600),
            ("end_pts", 7919, 60_000_000),
        )
    }
    dataset = Dataset(str(tmp_path))
    fixed = {
        name: pa.repeat(pa.scalar(value), rows)
        for name, value in (("start_pts", 0), ("time_base_num", 1), ("time_base_den", 1_000_000))
    }
    dataset.manifest.overwrite("clips", pa.table({"clip_id": ids, "video_id": ids, **numbers, **fixed}))
    dataset.manifest.overwrite(
        "selection", pa.table({"clip_id": ids, "video_id": ids, "kept": pa.repeat(pa.scalar(True), rows)})
    )
    compute(dataset, BucketConfig())
    found = dataset.manifest.read("buckets")
    assert sorted(found["clip_id"].to_pylist()) == ids.to_pylist()
    assert not any(found[name].null_count for name in found.schema.names)
