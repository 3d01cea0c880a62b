"""The whole path on films with exact truth: what the dataset's shots, clips and crops are worth."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import pyarrow.compute as pc

from infra.bench.accuracy import TOLERANCE_FRAMES, read_thumbs, world
from infra.bench.table import Figure
from infra.cli.run import RECIPES, curate
from infra.config import RunConfig
from infra.demo.findings import compare
from infra.demo.truth import Cut, WorldTruth
from infra.demo.world import FOOTAGE_FOLDER, TRUTH_FILE
from pipeline.dataset import Dataset
from pipeline.shots import detect
from schemas import load_config

SEEDS: Final = tuple(range(1001, 1009))
"""Enough worlds for about 450 clips, so that one of them is less than half of what may leak."""


@dataclass(frozen=True, slots=True)
class Leaks:
    """What is wrong inside clips."""

    num_clips: int = 0
    num_cut: int = 0
    """Clips that the detector cuts in two or more."""
    num_changed: int = 0
    """Clips that it does not give back whole: those, and the ones that it cuts shorter."""
    num_mixed: int = 0
    """Clips with a true cut inside, or true frames of a transition, beyond the tolerance."""

    def __add__(self, other: Leaks) -> Leaks:
        """Both together."""
        return Leaks(
            self.num_clips + other.num_clips,
            self.num_cut + other.num_cut,
            self.num_changed + other.num_changed,
            self.num_mixed + other.num_mixed,
        )


def measure(cache: Path, seeds: Sequence[int] = SEEDS) -> list[Figure]:
    """Curate the world of each seed and compare with its truth; worlds side by side."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(1, len(os.sched_getaffinity(0))), mp_context=context) as pool:
        measured = list(pool.map(partial(_measure_world, cache), seeds))
    found = [compared for compared, _ in measured]
    return [
        _cut_figure(found, "hard_cuts", "hard cuts", 0.98),
        _cut_figure(found, "gradual", "fades, dissolves and wipes", 0.90),
        *_leak_figures(sum((leaks for _, leaks in measured), Leaks())),
        _crop_figure(found),
    ]


def _measure_world(cache: Path, seed: int) -> tuple[dict[str, Any], Leaks]:
    """How what is found in one world agrees with what is in it."""
    for _ in world(cache, [seed]):
        pass
    place = cache / f"world-{seed}"
    shutil.rmtree(place / "dataset", ignore_errors=True)
    dataset = Dataset(str(place / "dataset"))
    paths = [f"input={json.dumps([str(place / FOOTAGE_FOLDER)])}", f"dataset={json.dumps(str(place / 'dataset'))}"]
    curate(load_config(RunConfig, RECIPES / "demo.yaml", [*paths, "executor.kind=local"]))
    truth = WorldTruth.load(place / TRUTH_FILE)
    return compare(dataset, truth), _leaks(dataset, truth)


def _cut_figure(found: Iterable[dict[str, Any]], key: str, title: str, least: float) -> Figure:
    counts = {name: sum(one[key][name] for one in found) for name in ("hits", "false_alarms", "misses")}
    return Figure(
        name=f"world, whole path: F1 of {title}",
        value=2 * counts["hits"] / max(1, 2 * counts["hits"] + counts["false_alarms"] + counts["misses"]),
        at_least=least,
        note=f"{counts['hits']} found, {counts['misses']} missed, {counts['false_alarms']} false",
    )


def _leak_figures(leaks: Leaks) -> list[Figure]:
    def share(name: str, count: int, at_most: float | None = None) -> Figure:
        value, note = 100 * count / max(1, leaks.num_clips), f"{count} of {leaks.num_clips}"
        return Figure(name=f"world, whole path: {name}", value=value, unit="%", at_most=at_most, note=note)

    return [
        share("clips that the detector cuts again", leaks.num_cut, at_most=0.5),
        share("clips that it cuts again or shorter", leaks.num_changed, at_most=0.5),
        # The two above say that clips agree with the detector; this one says what it does not see.
        share("clips with a true cut or transition inside", leaks.num_mixed),
    ]


def _crop_figure(found: Sequence[dict[str, Any]]) -> Figure:
    right, there = (sum(one["crops_within_2_px"][k] for one in found) for k in (0, 1))
    return Figure(
        name="world, whole path: largest error of a border crop",
        value=max(one["crop_error_px"] for one in found),
        unit="px",
        at_most=2,
        note=f"{right} of {there} clips within 2 px",
    )


def _leaks(dataset: Dataset, truth: WorldTruth) -> Leaks:
    """Decode each video again, and show the detector each clip and nothing else."""
    leaks = Leaks()
    films = {film.video: film for film in truth.films}
    for video in dataset.manifest.read("videos", ["video_id", "uri", "is_image"]).to_pylist():
        if video["is_image"]:
            continue
        path = Path(video["uri"])
        of_video = pc.field("video_id") == video["video_id"]
        clips = dataset.manifest.read("clips", ["start_frame", "end_frame"], where=of_video).to_pylist()
        thumbs, times_s = read_thumbs(path)
        for clip in clips:
            start, end = clip["start_frame"], clip["end_frame"]
            shots = detect(thumbs[start:end], times_s[start:end], name="default")
            is_whole = [(shot.start_frame, shot.end_frame) for shot in shots] == [(0, end - start)]
            leaks += Leaks(1, len(shots) > 1, not is_whole, is_mixed(films[path.name].cuts, start, end))
    return leaks


def is_mixed(cuts: Iterable[Cut], start: int, end: int) -> bool:
    """Whether frames `[start, end)` reach over a cut, or into a transition, by more than `TOLERANCE_FRAMES`."""
    return any(
        start < cut.end - TOLERANCE_FRAMES and end > cut.start + TOLERANCE_FRAMES for cut in cuts if not cut.optional
    )
