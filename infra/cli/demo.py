"""`rushes demo`: render the miniature world, curate it, and print what was found against the truth."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from infra.cli.run import RECIPES, curate
from infra.demo.compare import CutScore, FoundShot, Tally, crop_error_px, score_shots, total
from infra.demo.truth import Crop, FilmTruth, WorldTruth
from infra.demo.world import make_world
from infra.inspect import write_report
from pipeline.config import PipelineConfig
from pipeline.dataset import Dataset
from schemas import ConfigError, load_config


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("demo", help="the whole path on a rendered world: offline, on a CPU")
    parser.add_argument("--out", default="out/demo", metavar="DIR", help="where everything goes (out/demo)")
    parser.add_argument("--films", type=int, default=8, metavar="N", help="how many films to render (8)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another seed, another world (0)")
    parser.add_argument("--executor", choices=("ray", "local"), default="ray")
    parser.add_argument("--json", action="store_true", help="print a JSON object at the end")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Do it; give the exit status."""
    if args.films < 1:
        raise ConfigError(f"--films: at least 1, got {args.films}")
    out = Path(args.out)
    footage, dataset = out / "footage", out / "dataset"
    started = time.monotonic()
    try:
        truth = make_world(out, seed=args.seed, num_films=args.films)
    except OSError as error:
        raise ConfigError(f"{footage}: cannot be written: {error.strerror or error}") from error
    seconds = sum(film.num_frames / float(film.frame_rate) for film in truth.films if not film.is_image)
    say(args, f"rendered {len(truth.films)} files, {seconds:.0f} s of footage, in {_since(started)}")
    overrides = [
        f"input={json.dumps([str(footage)])}",
        f"dataset={json.dumps(str(dataset))}",
        f"executor.kind={args.executor}",
    ]
    curate(load_config(PipelineConfig, RECIPES / "demo.yaml", overrides))
    report = out / "report.html"
    write_report(Dataset(str(dataset)), report)
    found = compare(Dataset(str(dataset)), truth)
    say(args, "\n".join(_describe(found)))
    say(args, f"open {report}, or ask: rushes inspect {dataset} --funnel")
    if args.json:
        print(json.dumps(found))
    return 0


def say(args: argparse.Namespace, text: str) -> None:
    """Print for a person; on standard error where standard output is for a program."""
    print(text, file=sys.stderr if args.json else sys.stdout, flush=True)


def compare(dataset: Dataset, truth: WorldTruth) -> dict[str, Any]:
    """How what was found in a world agrees with what is in it."""
    score = CutScore()
    crop_errors: list[int] = []
    films = {film.video: film for film in truth.films}
    for row in dataset.manifest.read("videos", ["video_id", "uri"]).to_pylist():
        film = films[Path(row["uri"]).name]
        if not film.is_image:
            score = total([score, score_shots(film.cuts, _shots(dataset, row["video_id"]))])
            crop_errors += _crop_errors(dataset, row["video_id"], film)
    return {
        "hard_cuts": _tally(score.hard),
        "gradual": _tally(score.gradual),
        "recall_by_kind": {kind: list(pair) for kind, pair in sorted(score.recall_by_kind.items())},
        "num_clips": dataset.manifest.count("clips"),
        "crop_error_px": max(crop_errors, default=0),
        "crops_within_2_px": [sum(error <= 2 for error in crop_errors), len(crop_errors)],
    }


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


def _tally(tally: Tally) -> dict[str, float]:
    return {
        "hits": tally.hits,
        "false_alarms": tally.false_alarms,
        "misses": tally.misses,
        "f1": round(tally.f1, 4),
    }


def _describe(found: dict[str, Any]) -> list[str]:
    lines = [f"{'against the truth':20} {'found':>6} {'missed':>7} {'false':>6} {'F1':>6}"]
    for name, title in (("hard_cuts", "hard cuts"), ("gradual", "gradual transitions")):
        tally = found[name]
        lines.append(
            f"{title:20} {tally['hits']:>6} {tally['misses']:>7} {tally['false_alarms']:>6} {tally['f1']:>6.3f}"
        )
    right, there = found["crops_within_2_px"]
    lines.append(f"{'border crops':20} {right} of {there} clips within 2 px, worst {found['crop_error_px']} px")
    return lines


def _since(started: float) -> str:
    return f"{time.monotonic() - started:.0f} s"
