"""What a curated miniature world holds, against its truth: cuts, crops, planted defects, copies and captions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from captioner.evaluate import fact_scores
from captioner.finetune.answers import read_answers
from infra.demo.compare import CutScore, FoundShot, Tally, crop_error_px, score_shots, total
from infra.demo.truth import CopyOf, Crop, FilmTruth, WorldTruth
from infra.demo.verdicts import SourceSpan, judge_duplicates, judge_selection
from pipeline.buckets import BucketConfig, coverage, in_all
from pipeline.clip.evaluate import area_under_curve
from pipeline.dataset import Dataset
from schemas.caption import CaptionKind, CaptionOutcome

CAPTION_REASON = "caption"
"""The rule by which `rushes demo` drops a clip whose caption speaks of something else."""
_CUTS: Mapping[str, str] = {"hard_cuts": "hard cuts", "gradual": "fades, dissolves, wipes"}
_DEFECTS: Mapping[str, str] = {
    "text": "text over the picture",
    "letterbox": "letterbox taken off",
    "shake": "shaking camera",
}
"""Kinds of defect that need more words than their name."""


def compare(dataset: Dataset, truth: WorldTruth) -> dict[str, Any]:
    """How the cuts and crops found in a world's own films agree with what is in them."""
    score = CutScore()
    crop_errors: list[int] = []
    films = {film.video: film for film in truth.films}
    for video_id, film in _videos(dataset, films).items():
        if not film.is_image:
            score = total([score, score_shots(film.cuts, _shots(dataset, video_id))])
            crop_errors += _crop_errors(dataset, video_id, film)
    return {
        **{
            name: {
                "hits": tally.hits,
                "false_alarms": tally.false_alarms,
                "misses": tally.misses,
                "f1": round(tally.f1, 4),
            }
            for name, tally in zip(_CUTS, (score.hard, score.gradual), strict=True)
        },
        "recall_by_kind": {kind: list(pair) for kind, pair in sorted(score.recall_by_kind.items())},
        "num_clips": dataset.manifest.count("clips"),
        "crop_error_px": max(crop_errors, default=0),
        "crops_within_2_px": [sum(error <= 2 for error in crop_errors), len(crop_errors)],
    }


def compare_defects(dataset: Dataset, truth: WorldTruth) -> dict[str, Any]:
    """How the selection agrees with the defects that were planted, by kind; films without any are left out."""
    films = {film.video: film for film in truth.films if film.defects}
    names = {video_id: film.video for video_id, film in _videos(dataset, films).items()}
    reasons = _column(dataset, "selection", "reason")
    clips = [
        {**clip, "video": names[clip["video_id"]], "reason": reasons.get(clip["clip_id"])}
        for clip in dataset.manifest.read("clips").to_pylist()
        if clip["video_id"] in names
    ]
    tallies, _ = judge_selection(clips, films)
    return {kind: _counts(tally) for kind, tally in tallies.items()}


def compare_copies(dataset: Dataset, films: Sequence[FilmTruth]) -> dict[str, Any]:
    """How the duplicates found agree with the copies that were made, exact ones by file and others by clip."""
    by_name = {film.video: film for film in films}
    uris = Counter(row["video_id"] for row in _rows(dataset, "files", ["video_id", "outcome"]) if row["video_id"])
    exact = sum(film.duplicate_how == "exact" for film in films)
    copies = {film.video: _copy_of(film, by_name) for film in films if film.duplicate_of}
    names = {video_id: film.video for video_id, film in _videos(dataset, by_name).items()}
    spans = [
        SourceSpan.of({**clip, "video": names[clip["video_id"]]}, {n: c for n, c in copies.items() if c.how != "exact"})
        for clip in _timed_clips(dataset)
        if clip["video_id"] in names
    ]
    told = judge_duplicates(spans, _column(dataset, "duplicates", "duplicate_of"))
    return {
        "exact": {"hits": sum(number - 1 for number in uris.values()), "there": exact},
        "near": _counts(sum(told.values(), Tally())),
        "near_by_kind": {how or "no copies": _counts(tally) for how, tally in sorted(told.items())},
    }


def compare_captions(dataset: Dataset, is_true: Mapping[str, bool]) -> dict[str, Any]:
    """How the alignment of clips with their own captions compares with that of clips with those of others.

    Args:
        dataset: With scores of alignment.
        is_true: Whether a film's caption is its own, by the name of the file.
    """
    names = {
        row["video_id"]: name
        for row in _rows(dataset, "videos", ["video_id", "uri"])
        if (name := Path(row["uri"]).name) in is_true
    }
    alignment = _column(dataset, "scores/alignment", "alignment")
    reasons = _column(dataset, "selection", "reason")
    values: dict[bool, list[float]] = {True: [], False: []}
    tally = Tally()
    for clip in _rows(dataset, "clips", ["clip_id", "video_id"]):
        if clip["video_id"] in names and (value := alignment.get(clip["clip_id"])) is not None:
            is_own, is_dropped = is_true[names[clip["video_id"]]], reasons.get(clip["clip_id"]) == CAPTION_REASON
            values[is_own].append(value)
            # What an earlier rule has dropped was never asked for its caption.
            is_kept = reasons.get(clip["clip_id"]) is None
            tally += Tally(int(is_dropped and not is_own), int(is_dropped and is_own), int(is_kept and not is_own))
    true, false = (np.asarray(values[kind], np.float32) for kind in (True, False))
    return {
        **_counts(tally),
        "num_true": len(true),
        "num_false": len(false),
        "mean_true": round(float(true.mean()), 4) if len(true) else None,
        "mean_false": round(float(false.mean()), 4) if len(false) else None,
        "auc": round(area_under_curve(true, false), 4) if len(true) and len(false) else None,
    }


def compare_attributes(dataset: Dataset, answers: Path) -> dict[str, Any]:
    """How the captioner's dense captions agree with what the films show, attribute by attribute.

    Args:
        dataset: With captions; only clips that have one count.
        answers: What is known of the films.
    """
    known = read_answers([str(answers)])
    uris = {row["video_id"]: row["uri"] for row in _rows(dataset, "videos", ["video_id", "uri"])}
    good = (pc.field("kind") == CaptionKind.dense.value) & (pc.field("outcome") == CaptionOutcome.success.value)
    texts, facts = {}, {}
    for row in dataset.manifest.read("captions", ["clip_id", "video_id", "text"], where=good).to_pylist():
        answer = known.of(row["clip_id"], uris[row["video_id"]])
        if answer is not None:
            texts[row["clip_id"]], facts[row["clip_id"]] = row["text"], answer.facts
    accuracy = {score.attribute: round(score.accuracy, 4) for score in fact_scores(facts, texts)}
    return {"num_clips": len(texts), "accuracy": accuracy}


def measure_buckets(dataset: Dataset, config: BucketConfig) -> dict[str, Any]:
    """What of the kept clips is lost on the way to the sizes at which they train."""
    rows = coverage(dataset, config)
    found = in_all(rows)
    return {
        "num_clips": found.num_clips,
        "num_native_sizes": len(rows),
        "num_sizes": len({size for row in rows for size in row.sizes}),
        "crop_ratio": round(found.crop_ratio, 4),
        "downscale_ratio": round(found.downscale_ratio, 4),
        "frames_cut_ratio": round(found.cut_ratio, 4),
    }


def describe(found: Mapping[str, Any]) -> list[str]:
    """All of it, for a terminal.

    Args:
        found: What `compare` gave, and under `defects`, `copies`, `captions`, `attributes` and `buckets` what the
            others did.
    """
    lines = [f"{'against the truth':24} {'there':>6} {'found':>6} {'wrong':>6} {'recall':>7} {'precision':>10}"]
    lines += [_line(title, found[name]) for name, title in _CUTS.items()]
    lines += [_line(_DEFECTS.get(kind, kind), tally) for kind, tally in found["defects"].items()]
    lines.append(_line("clips of near-copies", found["copies"]["near"]))
    captions, buckets = found["captions"], found["buckets"]
    lines.append(_line("captions of other films", captions))
    right, there = found["crops_within_2_px"]
    lines.append(
        f"crops     {right} of {there} clips of the world's films within 2 px, worst {found['crop_error_px']} px"
    )
    exact = found["copies"]["exact"]
    lines.append(f"copies    {exact['hits']} of {exact['there']} exact ones known as the same video")
    if captions["auc"] is not None:
        lines.append(
            f"captions  alignment {captions['mean_true']:.2f} with their own film, {captions['mean_false']:z.2f} with "
            f"another; own above other in {captions['auc']:.1%} of pairs"
        )
    if accuracy := found["attributes"]["accuracy"]:
        right = ", ".join(f"{name} {value:.0%}" for name, value in accuracy.items())
        lines.append(f"captioner on {found['attributes']['num_clips']} clips: {right}")
    lines.append(
        f"buckets   {buckets['num_clips']} of {found['num_clips']} clips kept, of {buckets['num_native_sizes']} native "
        f"sizes; lost to the grid {buckets['crop_ratio']:.1%} of the pixels, {buckets['frames_cut_ratio']:.1%} of the "
        "frames"
    )
    return lines


def _line(title: str, tally: Mapping[str, Any]) -> str:
    there, told = tally["hits"] + tally["misses"], tally["hits"] + tally["false_alarms"]
    recall = f"{tally['hits'] / there:.0%}" if there else "-"
    precision = f"{tally['hits'] / told:.0%}" if told else "-"
    return f"{title:24} {there:>6} {tally['hits']:>6} {tally['false_alarms']:>6} {recall:>7} {precision:>10}"


def _counts(tally: Tally) -> dict[str, int]:
    return {"hits": tally.hits, "false_alarms": tally.false_alarms, "misses": tally.misses}


def _rows(dataset: Dataset, table: str, columns: list[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = dataset.manifest.read(table, columns).to_pylist()
    return rows


def _column(dataset: Dataset, table: str, name: str) -> dict[str, Any]:
    """One column by clip."""
    return {row["clip_id"]: row[name] for row in _rows(dataset, table, ["clip_id", name])}


def _videos(dataset: Dataset, films: Mapping[str, FilmTruth]) -> dict[str, FilmTruth]:
    """The truth of each video that has one, by its id."""
    named = {row["video_id"]: Path(row["uri"]).name for row in _rows(dataset, "videos", ["video_id", "uri"])}
    return {video_id: films[name] for video_id, name in named.items() if name in films}


def _copy_of(film: FilmTruth, films: Mapping[str, FilmTruth]) -> CopyOf:
    """Where a copy's pictures come from; the world's own copies run to the end of their source."""
    if film.copy_of is not None:
        return film.copy_of
    assert film.duplicate_of is not None
    source = films[film.duplicate_of]
    first, end = source.num_frames - film.num_frames, source.num_frames
    return CopyOf(source.video, film.duplicate_how, *(float(Fraction(k) / source.frame_rate) for k in (first, end)))


def _timed_clips(dataset: Dataset) -> list[dict[str, Any]]:
    """Every clip; its times count from the video's first frame."""
    first_s: dict[str, float] = defaultdict(float)
    columns = ["video_id", "start_pts", "start_frame", "time_base_num", "time_base_den"]
    for shot in _rows(dataset, "shots", columns):
        if shot["start_frame"] == 0:
            first_s[shot["video_id"]] = shot["start_pts"] * shot["time_base_num"] / shot["time_base_den"]
    clips = _rows(dataset, "clips", ["clip_id", "video_id", "start_s", "end_s"])
    return [
        {**clip, "start_s": clip["start_s"] - start_s, "end_s": clip["end_s"] - start_s}
        for clip in clips
        for start_s in [first_s[clip["video_id"]]]
    ]


def _shots(dataset: Dataset, video_id: str) -> list[FoundShot]:
    columns = ["start_frame", "end_frame", "transition_in", "transition_out"]
    rows = dataset.manifest.read("shots", columns, where=pc.field("video_id") == video_id)
    return [FoundShot(**row) for row in rows.sort_by("start_frame").to_pylist()]


def _crop_errors(dataset: Dataset, video_id: str, film: FilmTruth) -> list[int]:
    """Of each clip that lies in one true shot: how far the crop's edges are off, in pixels."""
    columns = ["start_frame", "end_frame", "crop_x", "crop_y", "crop_width", "crop_height"]
    errors = []
    for clip in dataset.manifest.read("clips", columns, where=pc.field("video_id") == video_id).to_pylist():
        middle = (clip["start_frame"] + clip["end_frame"]) // 2
        for shot in film.shots:
            if shot.start_frame <= middle < shot.end_frame and shot.kind == "scene":
                crop = Crop(clip["crop_x"], clip["crop_y"], clip["crop_width"], clip["crop_height"])
                errors.append(crop_error_px(crop, shot.crop, (film.width, film.height)))
    return errors
