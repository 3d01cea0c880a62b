"""The whole path on films with exact truth: what the dataset's shots, clips and crops are worth."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow.compute as pc

from infra.bench.accuracy import WORLD_SEEDS, read_thumbs, world
from infra.bench.table import Figure
from infra.cli.demo import compare
from infra.cli.run import RECIPES, curate
from infra.demo.truth import WorldTruth
from infra.demo.world import FOOTAGE_FOLDER, TRUTH_FILE
from pipeline.config import PipelineConfig
from pipeline.dataset import Dataset
from pipeline.shots import detect
from schemas import load_config


def measure(cache: Path, seeds: Sequence[int] = WORLD_SEEDS) -> list[Figure]:
    """Curate the world of each seed and compare with its truth."""
    for _ in world(cache, seeds):
        pass
    found, leaks, num_clips = [], 0, 0
    for seed in seeds:
        place = cache / f"world-{seed}"
        dataset = place / "dataset"
        shutil.rmtree(dataset, ignore_errors=True)
        paths = [f"input={json.dumps([str(place / FOOTAGE_FOLDER)])}", f"dataset={json.dumps(str(dataset))}"]
        curate(load_config(PipelineConfig, RECIPES / "demo.yaml", [*paths, "executor.kind=local"]))
        found.append(compare(Dataset(str(dataset)), WorldTruth.load(place / TRUTH_FILE)))
        leaking, there = _leaks(Dataset(str(dataset)))
        leaks, num_clips = leaks + leaking, num_clips + there
    figures = []
    for key, title, least in (
        ("hard_cuts", "hard cuts", 0.98),
        ("gradual", "fades, dissolves and wipes", 0.90),
    ):
        counts = {name: sum(one[key][name] for one in found) for name in ("hits", "false_alarms", "misses")}
        total = 2 * counts["hits"] + counts["false_alarms"] + counts["misses"]
        note = f"{counts['hits']} found, {counts['misses']} missed, {counts['false_alarms']} false"
        f1 = 2 * counts["hits"] / max(1, total)
        figures.append(Figure(name=f"world, whole path: F1 of {title}", value=f1, at_least=least, note=note))
    right, there = (sum(one["crops_within_2_px"][k] for one in found) for k in (0, 1))
    worst = max(one["crop_error_px"] for one in found)
    share = 100 * leaks / max(1, num_clips)
    return [
        *figures,
        Figure(
            name="world, whole path: clips that the detector cuts again",
            value=share,
            unit="%",
            at_most=0.5,
            note=f"{leaks} of {num_clips}",
        ),
        Figure(
            name="world, whole path: largest error of a border crop",
            value=worst,
            unit="px",
            at_most=2,
            note=f"{right} of {there} clips within 2 px",
        ),
    ]


def _leaks(dataset: Dataset) -> tuple[int, int]:
    """How many clips the detector cuts when it is shown nothing else, and how many clips there are."""
    leaks = num_clips = 0
    for video in dataset.manifest.read("videos", ["video_id", "uri", "is_image"]).to_pylist():
        if video["is_image"]:
            continue
        of_video = pc.field("video_id") == video["video_id"]
        clips = dataset.manifest.read("clips", ["start_frame", "end_frame"], where=of_video).to_pylist()
        thumbs, times_s = read_thumbs(Path(video["uri"]))
        for clip in clips:
            span = slice(clip["start_frame"], clip["end_frame"])
            leaks += len(detect(thumbs[span], times_s[span], name="default")) > 1
        num_clips += len(clips)
    return leaks, num_clips
