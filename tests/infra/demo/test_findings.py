"""Tables made by hand, whose agreement with a truth made by hand is known."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from infra.demo.findings import (
    CAPTION_REASON,
    compare,
    compare_attributes,
    compare_captions,
    compare_copies,
    compare_defects,
    describe,
    measure_buckets,
)
from infra.demo.truth import CopyOf, Cut, Defect, FilmTruth, ShotTruth, WorldTruth
from pipeline.buckets import BucketConfig
from pipeline.dataset import Dataset

SIZE = {"width": 320, "height": 192, "crop_x": 0, "crop_y": 0, "crop_width": 320, "crop_height": 192}


def film(name: str, **more: Any) -> FilmTruth:
    """Two shots of 25 frames, a second each."""
    shots = tuple(
        ShotTruth(
            start_frame=k, end_frame=k + 25, start_s=k / 25, end_s=k / 25 + 1, transition_in="", transition_out=""
        )
        for k in (0, 25)
    )
    given = {"cuts": (Cut.hard(25),), "shots": shots, "num_frames": 50, **more}
    return FilmTruth(video=name, width=320, height=192, frame_rate=Fraction(25), **given)


WORLD = WorldTruth(0, (film("a.mp4"), film("b.mp4", duplicate_of="a.mp4", duplicate_how="exact")))
DEFECTS = (Defect("freeze", "", 0, 25), Defect("none", "", 25, 50))
PLANTED = WorldTruth(
    0,
    (
        film("planted.mp4", defects=DEFECTS),
        film("near.mp4", duplicate_of="a.mp4", duplicate_how="mirror", copy_of=CopyOf("a.mp4", "mirror", 0.0, 2.0)),
    ),
)
FILMS = (*WORLD.films, *PLANTED.films)
ATTRIBUTES = ("background", "camera", "color", "motion", "number", "shape", "size")
IS_TRUE = {"own.mp4": True, "other.mp4": False}


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Each film in two clips, those of the cut right but for `planted.mp4`."""
    dataset = Dataset(str(tmp_path / "ds"))
    dataset.create()
    put = dataset.manifest.append
    names = ("a.mp4", "planted.mp4", "near.mp4", "own.mp4", "other.mp4")
    put("videos", [{"video_id": name[:-4], "uri": f"/x/{name}"} for name in names])
    put("files", [{"uri": name, "video_id": name[:-4], "outcome": "ok"} for name in names])
    put("files", [{"uri": "b.mp4", "video_id": "a", "outcome": "ok"}])
    clips, shots, selection = [], [], []
    for name in names:
        for k in (0, 1):
            clip_id, video_id = f"{name[:-4]}{k}", name[:-4]
            frames = {"start_frame": 25 * k, "end_frame": 25 * k + 25}
            times = {"start_s": float(k), "end_s": k + 1.0, "num_frames": 25}
            clips.append({"clip_id": clip_id, "video_id": video_id, **frames, **times, **SIZE})
            ticks = {"start_pts": 25 * k, "time_base_num": 1, "time_base_den": 25}
            edges = {"transition_in": "cut", "transition_out": "cut"}
            shots.append({"video_id": video_id, "shot_index": k, **frames, **ticks, **edges})
            reason = {"planted0": "frozen", "other0": CAPTION_REASON, "near0": "duplicate"}.get(clip_id)
            selection.append({"clip_id": clip_id, "video_id": video_id, "kept": reason is None, "reason": reason})
    put("clips", clips)
    put("shots", shots)
    put("selection", selection)
    put("duplicates", [{"clip_id": "near0", "video_id": "near", "duplicate_of": "a0", "method": "perceptual"}])
    values = {"own0": 0.7, "own1": 0.6, "other0": 0.1, "other1": 0.65}
    put("scores/alignment", [{"clip_id": k, "video_id": k[:-1], "alignment": value} for k, value in values.items()])
    size = {"frames": 25, "height": 192, "width": 320, "frame_step": 1, "num_tokens": 1}
    put("buckets", [{"clip_id": row["clip_id"], "video_id": row["video_id"], **size} for row in clips[2:]])
    return dataset


def test_cuts_and_crops_are_those_of_the_world_s_own_films(dataset: Dataset) -> None:
    found = compare(dataset, WORLD)
    assert found["hard_cuts"] == {"hits": 1, "false_alarms": 0, "misses": 0, "f1": 1.0}
    assert (found["crops_within_2_px"], found["crop_error_px"], found["num_clips"]) == ([2, 2], 0, 10)


def test_a_defect_is_found_where_its_clip_is_dropped_for_it(dataset: Dataset) -> None:
    found = compare_defects(dataset, PLANTED)
    assert found["freeze"] == {"hits": 1, "false_alarms": 0, "misses": 0}
    assert all(tally["hits"] + tally["misses"] == 0 for kind, tally in found.items() if kind != "freeze")


def test_copies_are_counted_by_file_or_by_clip(dataset: Dataset) -> None:
    found = compare_copies(dataset, FILMS)
    assert found["exact"] == {"hits": 1, "there": 1}
    # `near1` shows what `a1` shows, and is in no group with it.
    assert found["near"] == {"hits": 1, "false_alarms": 0, "misses": 1}


def test_a_copy_of_the_world_s_own_begins_where_its_source_is_cut_off(dataset: Dataset) -> None:
    later = film("near.mp4", num_frames=25, duplicate_of="a.mp4", duplicate_how="trimmed")
    # Its first clip shows the second of `a.mp4`, so that what was found is wrong.
    found = compare_copies(dataset, (film("a.mp4"), later))
    assert found["near"] == {"hits": 0, "false_alarms": 1, "misses": 1}


def test_alignment_is_compared_between_own_and_other_captions(dataset: Dataset) -> None:
    found = compare_captions(dataset, IS_TRUE)
    assert found == {
        **{"hits": 1, "false_alarms": 0, "misses": 1, "num_true": 2, "num_false": 2},
        **{"mean_true": 0.65, "mean_false": 0.375, "auc": 0.75},
    }


def test_without_scores_of_alignment_nothing_is_said_of_captions(dataset: Dataset) -> None:
    found = compare_captions(dataset, {"gone.mp4": True})
    assert (found["auc"], found["mean_true"], found["num_true"]) == (None, None, 0)


def write_answers(path: Path) -> Path:
    lines = [
        {"uri": "own.mp4", "short": "a red star", "facts": {"color": ["red"], "shape": ["red star"]}},
        {"uri": "other.mp4", "short": "a blue star", "facts": {"color": ["blue"], "shape": ["blue star"]}},
    ]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def test_attributes_are_judged_on_the_clips_that_have_a_caption(dataset: Dataset, tmp_path: Path) -> None:
    common = {"caption_set": "x", "kind": "dense"}
    rows = [
        {"clip_id": "own0", "video_id": "own", "text": "A red circle.", "outcome": "success", **common},
        {"clip_id": "own1", "video_id": "own", "text": "A red star.", "outcome": "success", **common},
        {"clip_id": "other0", "video_id": "other", "text": "", "outcome": "refused", **common},
        {"clip_id": "a0", "video_id": "a", "text": "Something else.", "outcome": "success", **common},
    ]
    dataset.manifest.append("captions", rows)
    found = compare_attributes(dataset, write_answers(tmp_path / "answers.jsonl"))
    assert found == {"num_clips": 2, "accuracy": {"color": 1.0, "shape": 0.5}}


def test_the_text_has_a_line_for_each_thing_and_fits_a_terminal(dataset: Dataset) -> None:
    found = {
        **compare(dataset, WORLD),
        "defects": compare_defects(dataset, PLANTED),
        "copies": compare_copies(dataset, FILMS),
        "captions": compare_captions(dataset, IS_TRUE),
        "attributes": {"num_clips": 20, "accuracy": dict.fromkeys(ATTRIBUTES, 0.97)},
        "buckets": measure_buckets(dataset, BucketConfig()),
    }
    lines = describe(found)
    assert "freeze                        1      1      0    100 %       100 %".replace(" %", "%").split() == (
        next(line for line in lines if line.startswith("freeze")).split()
    )
    assert any("8 of 10 clips kept" in line for line in lines)
    assert all(len(line) <= 120 for line in lines)
