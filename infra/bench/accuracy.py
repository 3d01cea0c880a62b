"""How well cuts are found: on annotated real footage, and on films of the miniature world with exact truth.

A hard cut must be found within two frames, by a detection of its own; a fade, dissolve or wipe counts once, by any
detection inside its frames or within two frames of them, and more there are free; optional ones are neither missed
nor false. A detection is one frame: the cut, the middle of a transition, or the first frame after black at the start.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from infra.bench.table import Figure
from infra.demo.compare import CutScore, FoundShot, score_shots
from infra.demo.truth import Cut, WorldTruth
from infra.demo.world import FOOTAGE_FOLDER, TRUTH_FILE, make_world
from pipeline.media.container import open_container, quiet, video_stream
from pipeline.media.decode import Decoding
from pipeline.media.limits import MediaLimits
from pipeline.media.planes import PlaneBatch
from pipeline.shots import DETECTORS, detect
from pipeline.shots.signals import Floats, Thumbs
from schemas.clip import Shot

TOLERANCE_FRAMES = 2
HARD = "hard"
LEAST_F1 = {"default": 0.93, "accurate": 0.95}
"""On real footage, by detector."""
WORLD_SEEDS = (921, 922)
WORLD_FILMS = 11
_LEAST_CLIP_S = 1.0


@dataclass(frozen=True, slots=True)
class Score:
    """Hits and misses of true cuts, and detections that belong to none; by kind where that is known."""

    hits: int = 0
    false_alarms: int = 0
    misses: int = 0
    by_kind: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Found and there, by kind."""

    def __add__(self, other: Score) -> Score:
        """Both together."""
        kinds = dict(self.by_kind)
        for kind, (found, there) in other.by_kind.items():
            before = kinds.get(kind, (0, 0))
            kinds[kind] = (before[0] + found, before[1] + there)
        return Score(
            self.hits + other.hits,
            self.false_alarms + other.false_alarms,
            self.misses + other.misses,
            kinds,
        )

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, 0 to 1; 1 where there is nothing and nothing was found."""
        total = 2 * self.hits + self.false_alarms + self.misses
        return 2 * self.hits / total if total else 1.0

    def __str__(self) -> str:
        """All of it in one line."""
        kinds = ", ".join(f"{kind} {found}/{there}" for kind, (found, there) in sorted(self.by_kind.items()))
        return f"F1 {self.f1:.3f}  hits {self.hits}  false {self.false_alarms}  missed {self.misses}  ({kinds})"


def detections(shots: Sequence[Shot], num_frames: int) -> list[int]:
    """One frame for each place where a shot ends and another begins, or where the first comes out of black."""
    frames = []
    for old, new in zip([None, *shots], shots, strict=False):
        if old is not None:
            frames.append((old.end_frame + new.start_frame) // 2)
        elif new.start_frame > 0:
            frames.append(new.start_frame)
    return [frame for frame in frames if frame < num_frames]


def score_video(cuts: Sequence[Mapping[str, Any]], found: Sequence[int]) -> Score:
    """Score the detections of one video.

    Args:
        cuts: `frame, kind, start, end` each, in frames, `end` being the transition's last; `optional` if it
        is.
        found: Frames.
    """
    used: set[int] = set()
    hits = misses = 0
    kinds: dict[str, tuple[int, int]] = {}
    for cut in cuts:
        kind, optional = str(cut["kind"]), bool(cut.get("optional"))
        first, last = (cut["frame"], cut["frame"]) if kind == HARD else (cut["start"], cut["end"])
        near = [frame for frame in found if first - TOLERANCE_FRAMES <= frame <= last + TOLERANCE_FRAMES]
        if kind == HARD and not optional:
            near = sorted(near, key=lambda frame: abs(frame - first))[:1]
        used.update(near)
        if optional:
            continue
        hits, misses = hits + bool(near), misses + (not near)
        before = kinds.get(kind, (0, 0))
        kinds[kind] = (before[0] + bool(near), before[1] + 1)
    return Score(hits, sum(frame not in used for frame in found), misses, kinds)


def read_thumbs(path: Path) -> tuple[Thumbs, Floats]:
    """The thumbnails of all frames of a video, and their times in seconds."""
    limits = MediaLimits()
    batch = PlaneBatch()
    parts: list[Thumbs] = []
    times: list[float] = []
    with open_container(path, limits) as container:
        decoding = Decoding(container, video_stream(container, limits), limits)
        for frame in decoding:
            batch.add(frame.frame)
            times.append(float(frame.pts * decoding.time_base))
            if batch.num_frames == batch.capacity:
                parts.append(batch.thumbs())
                batch.clear()
    if batch.num_frames:
        parts.append(batch.thumbs())
    return np.concatenate(parts), np.array(times)


@dataclass(frozen=True, slots=True)
class Annotated:
    """A video with its true cuts."""

    name: str
    path: Path
    cuts: Sequence[Mapping[str, Any]]
    exact: Sequence[Cut] = ()
    """The same of a film of the miniature world, whose truth says more."""


def annotated(truth: Path, footage: Path) -> Iterator[Annotated]:
    """The videos of a folder that have a `NAME.cuts.json` which is to be scored."""
    for path in sorted(truth.glob("*.cuts.json")):
        record = json.loads(path.read_text())
        video = footage / record["video"]
        if record["scored"] and video.is_file():
            yield Annotated(record["video"], video, record["cuts"])


def world(folder: Path, seeds: Sequence[int] = WORLD_SEEDS) -> Iterator[Annotated]:
    """Films of the miniature world, made where they are missing."""
    for seed in seeds:
        place = folder / f"world-{seed}"
        if not (place / TRUTH_FILE).exists():
            make_world(place, seed, num_films=WORLD_FILMS, num_copies=0, num_stills=0, split="any")
        for film in WorldTruth.load(place / TRUTH_FILE).films:
            # There the end of a transition is the first frame after it.
            cuts = [
                {
                    "frame": cut.frame,
                    "kind": cut.kind,
                    "start": cut.start,
                    "end": max(cut.start, cut.end - 1),
                    "optional": cut.optional,
                }
                for cut in film.cuts
            ]
            yield Annotated(f"{seed}/{film.video}", place / FOOTAGE_FOLDER / film.video, cuts, film.cuts)


@dataclass(slots=True)
class Outcome:
    """What one detector gave on some videos."""

    score: Score = field(default_factory=Score)
    by_video: dict[str, Score] = field(default_factory=dict)
    exact: CutScore = field(default_factory=CutScore)
    """Hard and gradual apart, on films of the miniature world."""
    num_frames: int = 0
    cpu_s: float = 0.0
    num_clips: int = 0
    """Shots of a second and more."""
    num_leaks: int = 0
    """Of these, how many the same detector cuts again when shown nothing else."""


def evaluate(videos: Sequence[Annotated], names: Sequence[str]) -> dict[str, Outcome]:
    """Run detectors over videos; each is decoded once."""
    outcomes = {name: Outcome() for name in names}
    for video in videos:
        thumbs, times_s = read_thumbs(video.path)
        for name, outcome in outcomes.items():
            started = time.process_time()
            shots = detect(thumbs, times_s, name=name)
            outcome.cpu_s += time.process_time() - started
            outcome.num_frames += len(thumbs)
            score = score_video(video.cuts, detections(shots, len(thumbs)))
            outcome.by_video[video.name] = score
            outcome.score += score
            outcome.exact += score_shots(video.exact, [_found(shot) for shot in shots]) if video.exact else CutScore()
            for shot in shots:
                span = slice(shot.start_frame, shot.end_frame)
                if times_s[span][-1] - times_s[span][0] < _LEAST_CLIP_S:
                    continue
                outcome.num_clips += 1
                outcome.num_leaks += len(detect(thumbs[span], times_s[span], name=name)) > 1
    return outcomes


def measure(footage: Path, cache: Path) -> list[Figure]:
    """The figures for `python -m infra.bench`: `default` and `accurate` on real footage and on the world."""
    quiet()
    figures = []
    real = evaluate(list(annotated(footage / "truth", footage)), list(LEAST_F1))
    for name, outcome in real.items():
        figures.append(
            Figure(
                name=f"cuts of real footage, {name}: F1",
                value=outcome.score.f1,
                at_least=LEAST_F1[name],
                note=str(outcome.score),
            )
        )
        figures.append(_cost(name, outcome))
    made = evaluate(list(world(cache)), list(LEAST_F1))
    for name, outcome in made.items():
        exact = outcome.exact
        figures += [
            Figure(
                name=f"hard cuts of world films, {name}: F1", value=exact.hard.f1, at_least=0.98, note=str(exact.hard)
            ),
            Figure(
                name=f"gradual transitions of world films, {name}: F1",
                value=exact.gradual.f1,
                at_least=0.9,
                note=str(outcome.score),
            ),
            Figure(
                # No promise: clips are looked at once more, shots are not, see `pipeline.scan.second_look`.
                name=f"shots of world films that are cut again, {name}",
                value=100 * outcome.num_leaks / max(1, outcome.num_clips),
                unit="%",
                note=f"{outcome.num_leaks} of {outcome.num_clips}",
            ),
        ]
    return figures


def _cost(name: str, outcome: Outcome) -> Figure:
    cost_us = 1e6 * outcome.cpu_s / max(1, outcome.num_frames)
    return Figure(name=f"finding cuts, {name}: CPU a frame", value=cost_us, unit="µs")


def _found(shot: Shot) -> FoundShot:
    return FoundShot(shot.start_frame, shot.end_frame, str(shot.transition_in), str(shot.transition_out))


def main() -> int:
    """Print the score of each video and of all."""
    parser = argparse.ArgumentParser(prog="python -m infra.bench.accuracy", description=main.__doc__)
    parser.add_argument("truth", type=Path, help="a folder of NAME.cuts.json")
    parser.add_argument("footage", type=Path, help="the folder of the videos")
    parser.add_argument("--detector", nargs="+", choices=sorted(DETECTORS), default=["default"])
    args = parser.parse_args()
    quiet()
    videos = list(annotated(args.truth, args.footage))
    if not videos:
        print(f"infra.bench.accuracy: {args.truth} has no truth for videos in {args.footage}", file=sys.stderr)
        return 2
    for name, outcome in evaluate(videos, args.detector).items():
        for video, score in outcome.by_video.items():
            print(f"{name}  {video}  {score}")
        print(f"{name}  all  {outcome.score}  {_cost(name, outcome).measured} a frame")
    return 0


if __name__ == "__main__":
    sys.exit(main())
