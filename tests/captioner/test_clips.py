from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from captioner.clips import CaptionInput, caption_inputs
from captioner.frames import ClipSpan
from pipeline.manifest import Manifest

A, B, C, D = (name * 64 for name in "abcd")


def clip(clip_id: str, video_id: str, start_pts: int, **values: Any) -> dict[str, Any]:
    span = {"start_pts": start_pts, "end_pts": start_pts + 90_000, "time_base_num": 1, "time_base_den": 90_000}
    crop = {"crop_x": 0, "crop_y": 12, "crop_width": 640, "crop_height": 336}
    return {"clip_id": clip_id, "video_id": video_id, **span, **crop, **values}


@pytest.fixture
def manifest(tmp_path: Path, film: Any) -> Manifest:
    """Two clips of A, one of B that is dropped, C that was never scanned to its end, D whose file says other times."""
    made = Manifest(str(tmp_path))
    probe = json.dumps(film.probe.to_json())
    made.append(
        "files",
        [
            {"uri": "/f/a.mp4", "video_id": A, "probe": probe},
            {"uri": "/f/copy of a.mp4", "video_id": A, "probe": "another"},
            {"uri": "/f/b.mp4", "video_id": B, "probe": probe},
            {"uri": "/f/c.mp4", "video_id": C, "probe": probe},
            {"uri": "/f/d.mp4", "video_id": D, "probe": probe},
            {"uri": "/f/broken.mp4", "video_id": None},
        ],
    )
    made.append(
        "videos",
        [
            {"video_id": A, "uri": "/f/a.mp4", "num_repaired_pts": 0},
            {"video_id": B, "uri": "/f/b.mp4", "num_repaired_pts": 0},
            {"video_id": C, "uri": "/f/c.mp4", "num_repaired_pts": None},
            {"video_id": D, "uri": "/f/d.mp4", "num_repaired_pts": 3},
        ],
    )
    rows = [clip("a2", A, 180_000), clip("a1", A, 0), clip("a3", A, 360_000), clip("b1", B, 0), clip("d1", D, 7)]
    made.append("clips", rows)
    made.append(
        "selection",
        [
            {"clip_id": row["clip_id"], "video_id": row["video_id"], "kept": row["clip_id"] not in ("a3", "b1")}
            for row in rows
        ],
    )
    return made


def test_each_scanned_video_is_given_with_its_kept_clips_in_order_of_time(manifest: Manifest, film: Any) -> None:
    a, b, d = caption_inputs(manifest, 0.5)
    assert [(item.video_id, item.uri, item.num_clips) for item in (a, b, d)] == [
        (A, "/f/a.mp4", 2),
        (B, "/f/b.mp4", 0),
        (D, "/f/d.mp4", 1),
    ]
    second = Fraction(1, 90_000)
    assert a.spans() == [
        ClipSpan(clip_id="a1", start_pts=0, end_pts=90_000, time_base=second, crop=(0, 12, 640, 336)),
        ClipSpan(clip_id="a2", start_pts=180_000, end_pts=270_000, time_base=second, crop=(0, 12, 640, 336)),
    ]
    assert b.spans() == []
    assert [item.is_repaired for item in (a, b, d)] == [False, False, True]
    assert a.probed() == film.probe
    assert 1 <= a.cost_s < 1.1
    assert b.cost_s < 0.1


def test_an_input_survives_the_way_to_a_worker(manifest: Manifest) -> None:
    for item in caption_inputs(manifest, 0.5):
        row = json.loads(json.dumps(item.to_row()))
        assert CaptionInput(**row) == item


def test_its_digest_is_of_content_spans_and_crops_and_not_of_where_it_lies(manifest: Manifest) -> None:
    def digests() -> dict[str, str]:
        return {item.video_id: item.upstream for item in caption_inputs(manifest, 0.5)}

    before = digests()
    manifest.replace("videos", [{"video_id": A, "uri": "/f/copy of a.mp4", "num_repaired_pts": 0}], [A])
    assert digests() == before
    manifest.replace("clips", [clip("a1", A, 0, crop_y=14), clip("a2", A, 180_000)], [A])
    after = digests()
    assert {video_id for video_id in after if after[video_id] != before[video_id]} == {A}


def test_a_dataset_without_a_selection_has_no_inputs(tmp_path: Path) -> None:
    assert list(caption_inputs(Manifest(str(tmp_path)), 0.5)) == []
