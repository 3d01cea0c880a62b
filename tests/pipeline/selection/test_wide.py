from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.dataset import Dataset
from pipeline.selection import wide
from schemas import TABLES, ConfigError

Make = Callable[[Any], Dataset]


def rows(dataset: Dataset) -> dict[str, dict[str, Any]]:
    return {row["clip_id"][0]: row for row in dataset.manifest.read("wide").to_pylist()}


def test_there_is_one_row_a_clip_with_all_that_is_known_of_it(make: Make) -> None:
    dataset = make({"a": {"sharpness": 5.0, "aesthetic": 6.0}, "b": {}, "c": {"luma_mean": 0.5}})
    manifest = dataset.manifest
    manifest.append(
        "duplicates",
        [{"clip_id": "b" * 32, "video_id": "v0", "duplicate_of": "a" * 32, "method": "exact", "similarity": 1.0}],
    )
    told = {"clip_id": "c" * 32, "video_id": "v1", "kind": "original", "caption_set": "original"}
    manifest.append("captions", [told, told | {"clip_id": "a" * 32, "kind": "dense"}])
    wide.build(manifest)
    found = rows(dataset)
    assert sorted(found) == ["a", "b", "c"]
    a, b, c = found["a"], found["b"], found["c"]
    assert (a["sharpness"], a["aesthetic"], a["duplicate_of"]) == (5.0, 6.0, None)
    assert (b["sharpness"], b["duplicate_of"], b["duplicate_method"]) == (None, "a" * 32, "exact")
    assert [row["has_caption"] for row in (a, b, c)] == [False, False, True]
    assert (c["duration_s"], c["aspect_ratio"], c["pixels"]) == (2.5, 2.0, 640 * 320)
    assert c["frame_rate"] == pytest.approx(29.97, abs=0.01)
    assert c["bits_per_pixel"] == pytest.approx(8 * 28.8e6 / (640 * 360 * 100))
    assert (c["video_width"], c["width"], c["video_num_frames"], c["num_frames"]) == (640, 640, 100, 75)
    assert manifest.read("wide").schema == TABLES["wide"].schema


def test_what_is_no_finite_number_is_null(make: Make) -> None:
    dataset = make({"a": {"sharpness": math.nan}, "b": {"sharpness": math.inf}, "c": {"sharpness": 1.0}})
    wide.build(dataset.manifest)
    assert {name: row["sharpness"] for name, row in rows(dataset).items()} == {"a": None, "b": None, "c": 1.0}
    with wide.open_wide(dataset.manifest, ["sharpness"]) as opened:
        assert opened.db.execute("SELECT count(*) FROM wide WHERE sharpness >= 0").fetchall() == [(1,)]


def test_it_is_current_until_a_score_changes(make: Make) -> None:
    manifest = make({"a": {"sharpness": 5.0}, "b": {"sharpness": 6.0}}).manifest
    assert not wide.is_current(manifest)
    wide.build(manifest)
    assert wide.is_current(manifest)
    manifest.tidy()
    assert wide.is_current(manifest), "putting files together changes no row"
    manifest.append("labels", [{"clip_id": "a" * 32, "reviewer": "me", "good": True}])
    assert wide.is_current(manifest), "labels are no part of it"
    manifest.replace("scores/scan", [{"clip_id": "a" * 32, "video_id": "v0", "sharpness": 7.0}], ["v0"])
    assert not wide.is_current(manifest)


def test_an_old_table_is_not_read_but_joined_anew(make: Make) -> None:
    manifest = make({"a": {"sharpness": 5.0}, "b": {"sharpness": 6.0}}).manifest
    wide.build(manifest)
    for kept in (True, False):
        with wide.open_wide(manifest, ["sharpness", "duration_s"]) as opened:
            assert opened.is_kept == kept
            found = opened.db.execute("SELECT clip_id, sharpness, duration_s FROM wide ORDER BY ALL").fetchall()
            limit = 5.0 if kept else 5.5
            assert found == [("a" * 32, limit, 2.5), ("b" * 32, 6.0, 2.5)]
        new = [
            {"clip_id": "a" * 32, "video_id": "v0", "sharpness": 5.5},
            {"clip_id": "b" * 32, "video_id": "v0", "sharpness": 6.0},
        ]
        manifest.replace("scores/scan", new, ["v0"])


def test_many_passes_give_the_rows_of_one(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = make({name: {"sharpness": float(index)} for index, name in enumerate("abcdefghij")})
    wide.build(dataset.manifest)
    whole = rows(dataset)
    monkeypatch.setattr(wide, "_PASS_BYTES", 200)
    wide.build(dataset.manifest)
    assert rows(dataset) == whole
    assert len(whole) == 10


def test_two_rows_of_one_clip_are_told_and_nothing_is_written(make: Make) -> None:
    dataset = make({"a": {"sharpness": 5.0}})
    wide.build(dataset.manifest)
    before = dataset.manifest.read("wide")
    dataset.manifest.append(
        "scores/aesthetic", [{"clip_id": "a" * 32, "video_id": "v0", "aesthetic": n} for n in (1, 2)]
    )
    with pytest.raises(ConfigError, match="several rows of one clip"):
        wide.build(dataset.manifest)
    assert dataset.manifest.read("wide").equals(before)


def test_a_dataset_without_clips_has_an_empty_table(make: Make) -> None:
    dataset = make({})
    wide.build(dataset.manifest)
    assert dataset.manifest.count("wide") == 0
