from __future__ import annotations

import json
from typing import Any

import pytest

from infra.inspect.buckets import buckets_text, read_buckets, shown
from infra.inspect.sql import open_views
from pipeline.buckets import BucketConfig, coverage
from pipeline.dataset import Dataset
from pipeline.stages.bucket import compute

CONFIG = {"token_budget": 20_000}


@pytest.fixture
def bucketed(empty_dataset: Dataset) -> Dataset:
    """Clips of three sizes, one of them at 60 frames/s, in the buckets of a small budget."""
    sizes = [(1920, 1080, 50, 25)] * 3 + [(1280, 720, 121, 60)] * 2 + [(9, 7, 10, 25)]
    times = [
        {"start_pts": 0, "end_pts": frames, "time_base_num": 1, "time_base_den": rate} for *_, frames, rate in sizes
    ]
    clips = [
        {"clip_id": f"{k:032x}", "video_id": "v", "width": width, "height": height, "num_frames": frames}
        | {"start_s": 0.0, "end_s": frames / rate}
        | times[k]
        for k, (width, height, frames, rate) in enumerate(sizes)
    ]
    empty_dataset.manifest.append("clips", clips)
    empty_dataset.manifest.append("selection", [{"clip_id": row["clip_id"], "kept": True} for row in clips])
    empty_dataset.write_description({"bucket": CONFIG}, {})
    compute(empty_dataset, BucketConfig(**CONFIG))
    return empty_dataset


def read(dataset: Dataset) -> Any:
    with open_views(dataset.manifest) as db:
        return read_buckets(db, dataset.describe())


def test_what_is_lost_is_what_the_pipeline_says(bucketed: Dataset) -> None:
    found = read(bucketed)
    assert list(found.native) == coverage(bucketed, BucketConfig(**CONFIG))
    assert [(row.width, row.num_clips) for row in found.native] == [(1920, 3), (1280, 2), (9, 1)]
    assert found.native[1].skipped_ratio == pytest.approx(0.5, abs=0.01)
    assert found.native[2].num_stretched == 1
    assert found.native[0].seconds == pytest.approx(6.0)


def test_both_tables_lose_the_same_in_all(bucketed: Dataset) -> None:
    found = read(bucketed)
    assert sum(row.num_clips for row in found.trained) == found.total.num_clips == 6
    for name, weight in (
        ("crop_ratio", "num_clips"),
        ("downscale_ratio", "num_clips"),
        ("skipped_ratio", "num_frames"),
        ("cut_ratio", "num_frames"),
    ):
        sums = [
            sum(getattr(row, name) * getattr(row, weight) for row in rows) for rows in (found.native, found.trained)
        ]
        assert sums[0] == pytest.approx(sums[1])
        assert getattr(found.total, name) == pytest.approx(sums[0] / getattr(found.total, weight))
    assert found.num_buckets == 3


def test_a_terminal_and_json_say_the_same(bucketed: Dataset) -> None:
    found = read(bucketed)
    told = json.loads(json.dumps(found.to_json()))
    assert told["all"]["num_clips"] == 6
    assert told["by_native_size"][0]["sizes"] == [
        {"height": height, "width": width, "num_clips": clips}
        for (height, width), clips in found.native[0].sizes.items()
    ]
    lines = buckets_text(found).splitlines()
    assert [line.split()[:2] for line in lines[1:5]] == [
        ["1920x1080", "3"],
        ["1280x720", "2"],
        ["9x7", "1"],
        ["all", "6"],
    ]
    (row, sizes), *_ = shown(found.native)
    assert sizes == f"{next(iter(row.sizes))[1]}×{next(iter(row.sizes))[0]}"


def test_a_dataset_without_buckets_loses_nothing(empty_dataset: Dataset) -> None:
    found = read(empty_dataset)
    assert (list(found.native), found.total.num_clips, found.num_buckets) == ([], 0, 0)
    assert buckets_text(found) == "no clip has a bucket"


@pytest.mark.parametrize("config", [None, {"bucket": 7}, {"bucket": {"token_budget": -1}}, {"bucket": {"later": 1}}])
def test_a_config_that_cannot_be_read_counts_as_the_default(bucketed: Dataset, config: Any) -> None:
    with open_views(bucketed.manifest) as db:
        assert read_buckets(db, {"config": config}).total.num_clips == 6


def test_rows_that_are_no_bucket_are_left_out(empty_dataset: Dataset) -> None:
    ids = {"clip_id": "c", "video_id": "v"}
    empty_dataset.manifest.append("clips", [ids | {"width": 0, "height": None, "num_frames": None}])
    empty_dataset.manifest.append("buckets", [ids | {"frames": 1, "height": 16, "width": 0, "frame_step": 1}])
    assert read(empty_dataset).total.num_clips == 0
