"""What the default recipe throws out, against truth: planted defects, and near-duplicates of films and of footage."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from infra.bench.footage import once
from infra.bench.table import Figure
from infra.cli.run import RECIPES, curate
from infra.config import RunConfig
from infra.demo.compare import Tally
from infra.demo.copies import TRANSFORMS, copy_video
from infra.demo.defect_world import make_defect_world
from infra.demo.defects import KINDS
from infra.demo.truth import CopyOf, WorldTruth
from infra.demo.verdicts import Mistake, SourceSpan, judge_duplicates, judge_selection
from infra.demo.world import FOOTAGE_FOLDER, TRUTH_FILE
from pipeline.dataset import Dataset
from schemas import load_config

SEEDS = (5101, 5102)
"""Of worlds on which no threshold was chosen."""
NUM_FILMS = 72
SOURCE_FILMS = 16
COPIES_A_SOURCE = 5
LEAST_DEFECT = 0.97
LEAST_RECALL, LEAST_PRECISION = 0.98, 0.99
"""Of near-duplicates, for each transform."""
REAL_SOURCES = (
    *(f"cosmos_ar_{number}.mp4" for number in range(5)),
    *(f"bridge_{name}_rgb.mp4" for name in ("test_2285", "test_312", "train_13109", "train_1432")),
    *(f"intel_asl_{name}.mkv" for name in ("again", "bird", "book", "brother", "learn", "night")),
    *("cosmos_test_clip_10s.mp4", "iio_cockatoo.mp4", "los_run.mp4", "moz_gizmo.mp4", "mvp_chaplin.mp4"),
    *("nasa_13013.mp4", "skv_bigbuckbunny.mp4", "wpt_bear-av1-opus.mp4", "mvp_pigs_in_a_polka.gif"),
)
"""Files of the footage of which no two show the same, and none the same twice, as a tree in the wind does; those of
one setting are the hard negatives."""


def measure(footage: Path, cache: Path, seeds: Sequence[int] = SEEDS, num_films: int = NUM_FILMS) -> list[Figure]:
    """The figures for `python -m infra.bench`.

    Args:
        footage: Real videos.
        cache: Worlds, copies and datasets go there; those that are there already are used again.
        seeds: Of the worlds with planted defects; the first is that of the films that are copied, too.
        num_films: Of each.
    """
    found = [*_defects(cache, seeds, num_films)]
    world = once(cache / f"copies-world-{seeds[0]}", partial(_copied_world, seeds[0]))
    found += _duplicates(world, "world films")
    sources = [footage / name for name in REAL_SOURCES if (footage / name).is_file()]
    if sources:
        real = once(cache / "copies-footage", partial(_copied, sources))
        found += _duplicates(real, "footage")
    return found


def defects(place: Path) -> tuple[dict[str, Tally], list[Mistake], Mapping[str, int]]:
    """Curate a world with planted defects and judge the selection.

    Returns:
        A tally for each kind, the mistakes, and how many planted shots gave no clip, by kind.
    """
    films = {film.video: film for film in WorldTruth.load(place / TRUTH_FILE).films}
    dataset = _curated(place / FOOTAGE_FOLDER, place / "dataset")
    clips = _clips(dataset)
    reasons = {row["clip_id"]: row["reason"] for row in _rows(dataset, "selection", ["clip_id", "reason"])}
    if clips and not reasons:
        raise RuntimeError("the recipe made no selection")
    tallies, mistakes = judge_selection([{**clip, "reason": reasons[clip["clip_id"]]} for clip in clips], films)
    without = dict.fromkeys(KINDS, 0)
    for film in films.values():
        mine = [clip for clip in clips if clip["video"] == film.video]
        for defect in film.defects:
            if defect.kind in without:
                without[defect.kind] += not any(
                    clip["start_frame"] < defect.end_frame and defect.start_frame < clip["end_frame"] for clip in mine
                )
    return tallies, mistakes, without


def _defects(cache: Path, seeds: Sequence[int], num_films: int) -> list[Figure]:
    total = dict.fromkeys(KINDS, Tally())
    without = dict.fromkeys(KINDS, 0)
    for seed in seeds:
        place = once(cache / f"defects-{seed}-{num_films}", partial(_planted_world, seed, num_films))
        tallies, mistakes, missing = defects(place)
        for kind in KINDS:
            total[kind] += tallies[kind]
            without[kind] += missing[kind]
        for mistake in mistakes:
            print(f"{seed}  {mistake}", file=sys.stderr)
    figures = []
    for kind, tally in total.items():
        note = f"{tally}; {without[kind]} shots gave no clip" if without[kind] else str(tally)
        figures += _pair(f"planted {kind}", tally, LEAST_DEFECT, LEAST_DEFECT, note)
    return figures


def _pair(name: str, tally: Tally, recall: float, precision: float, note: str) -> list[Figure]:
    return [
        Figure(name=f"{name}: recall", value=tally.recall, at_least=recall, note=note),
        Figure(name=f"{name}: precision", value=tally.precision, at_least=precision),
    ]


def _duplicates(place: Path, title: str) -> list[Figure]:
    # Text has no part in this, and costs most of the time.
    dataset = _curated(place / FOOTAGE_FOLDER, place / "dataset", "text_area.max_side_px=128")
    copies = {name: CopyOf(**row) for name, row in json.loads((place / TRUTH_FILE).read_text()).items()}
    # Black shows nothing that could be the same.
    reasons = {row["clip_id"]: row["reason"] for row in _rows(dataset, "selection", ["clip_id", "reason"])}
    spans = [SourceSpan.of(clip, copies) for clip in _clips(dataset) if reasons[clip["clip_id"]] != "black"]
    rows = _rows(dataset, "duplicates", ["clip_id", "duplicate_of"])
    tallies = judge_duplicates(spans, {row["clip_id"]: row["duplicate_of"] for row in rows})
    figures = []
    for how in (*TRANSFORMS, ""):
        name = f"near-duplicates of {title}, {how or 'sources among themselves'}"
        tally = tallies.get(how, Tally())
        figures += _pair(name, tally, LEAST_RECALL, LEAST_PRECISION, str(tally))
    return figures


def _planted_world(seed: int, num_films: int, folder: Path) -> None:
    make_defect_world(folder, seed, num_films)


def _copied_world(seed: int, folder: Path) -> None:
    """Films with nothing wrong, and copies of them."""
    make_defect_world(folder / "films", seed + 50_000, SOURCE_FILMS, kinds=(), clean_share=1)
    _copied(sorted((folder / "films" / FOOTAGE_FOLDER).iterdir()), folder)
    shutil.rmtree(folder / "films")


def _copied(sources: Sequence[Path], folder: Path) -> None:
    """Put files and copies of each into `footage`, and the copies' truth beside it; transforms take turns."""
    footage = folder / FOOTAGE_FOLDER
    footage.mkdir(parents=True)
    names = list(TRANSFORMS)
    truth = {}
    for number, source in enumerate(sources):
        shutil.copyfile(source, footage / source.name)
        for turn in range(COPIES_A_SOURCE):
            how = names[(number + turn * len(names) // COPIES_A_SOURCE) % len(names)]
            path = footage / f"{source.stem}--{how.replace(' ', '_').replace('%', 'percent').replace(',', '')}.mp4"
            copy = copy_video(source, path, how)
            truth[path.name] = {name: getattr(copy, name) for name in ("source", "how", "start_s", "end_s", "speed")}
    (folder / TRUTH_FILE).write_text(json.dumps(truth, indent=1))


def _curated(footage: Path, place: Path, *more: str) -> Dataset:
    """A new dataset of the footage by the recipe `default`, with more overrides."""
    shutil.rmtree(place, ignore_errors=True)
    overrides = [f"input={json.dumps([str(footage)])}", f"dataset={json.dumps(str(place))}", "executor.kind=local"]
    # No rule looks at faces.
    overrides += ["faces.min_face_ratio=1", *more]
    curate(load_config(RunConfig, RECIPES / "default.yaml", overrides))
    return Dataset(str(place))


def _clips(dataset: Dataset) -> list[dict[str, Any]]:
    """Every clip with the name of its file; its times count from the video's first frame."""
    names = {row["video_id"]: Path(row["uri"]).name for row in _rows(dataset, "videos", ["video_id", "uri"])}
    first_s: dict[str, float] = {}
    for shot in _rows(dataset, "shots", ["video_id", "start_pts", "start_frame", "time_base_num", "time_base_den"]):
        if shot["start_frame"] == 0:
            first_s[shot["video_id"]] = shot["start_pts"] * shot["time_base_num"] / shot["time_base_den"]
    clips = _rows(dataset, "clips", None)
    for clip in clips:
        clip["video"] = names[clip["video_id"]]
        for name in ("start_s", "end_s"):
            clip[name] -= first_s.get(clip["video_id"], 0.0)
    return clips


def _rows(dataset: Dataset, table: str, columns: list[str] | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = dataset.manifest.read(table, columns).to_pylist()
    return rows
