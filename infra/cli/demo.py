"""`rushes demo`: render the miniature world, curate it, and print what was found against the truth."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.cli.run import RECIPES, curate
from infra.config import RunConfig
from infra.demo.captioned import ANSWERS_FILE, add_captioned
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
from infra.demo.planted import add_planted
from infra.demo.truth import WorldTruth
from infra.demo.weights import CLIP_WEIGHTS
from infra.demo.world import make_world
from infra.inspect import write_report
from pipeline.dataset import Dataset
from schemas import ConfigError, load_config

MIN_ALIGNMENT = 0.3
"""Of the world's own CLIP: midway between captions of the same film and of others."""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("demo", help="the whole path on a rendered world: offline, on a CPU")
    parser.add_argument("--out", default="out/demo", metavar="DIR", help="where everything goes (out/demo)")
    parser.add_argument("--films", type=int, default=8, metavar="N", help="how many films to render (8)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another seed, another world (0)")
    parser.add_argument("--captioner", metavar="DIR", help="a trained captioner, to be held against the truth")
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
        world, planted, captioned = render(out, args.seed, args.films)
    except OSError as error:
        raise ConfigError(f"{footage}: cannot be written: {error.strerror or error}") from error
    films = (*world.films, *planted.films)
    seconds = sum(film.num_frames / float(film.frame_rate) for film in films if not film.is_image)
    say(
        args,
        f"rendered {len(films)} files, {seconds:.0f} s of footage, and {len(captioned)} short films with captions, "
        f"in {_since(started)}",
    )
    started = time.monotonic()
    wanted = overrides(footage, dataset, args.executor)
    if args.captioner is not None:
        wanted.append(f"caption.engine.model={json.dumps(args.captioner)}")
    config = load_config(RunConfig, RECIPES / "demo.yaml", wanted)
    summary = curate(config)
    counts = summary["counts"]
    say(
        args,
        f"curated them in {_since(started)}: {counts['videos']} videos, {counts['shots']} shots, "
        f"{counts['clips']} clips",
    )
    report = out / "report.html"
    made = Dataset(str(dataset))
    write_report(made, report)
    found = {
        **compare(made, world),
        "defects": compare_defects(made, planted),
        "copies": compare_copies(made, films),
        "captions": compare_captions(made, captioned),
        "attributes": compare_attributes(made, out / ANSWERS_FILE),
        "buckets": measure_buckets(made, config.bucket),
    }
    say(args, "\n".join(describe(found)))
    say(args, f"report    {report}; or ask: rushes inspect {dataset} --funnel")
    if args.json:
        print(json.dumps(found))
    return 0


def render(out: Path, seed: int, num_films: int) -> tuple[WorldTruth, WorldTruth, Mapping[str, bool]]:
    """Make the footage: a world, films with planted defects and near-copies, and films with captions.

    Returns:
        The truth of each.

    Raises:
        OSError: It cannot be written.
    """
    world = make_world(out, seed=seed, num_films=num_films)
    # Three shots of each kind of defect, and six clean ones.
    planted = add_planted(out, world, num_films=6, num_copies=2, clean_share=2)
    return world, planted, add_captioned(out, seed, num=40)


def overrides(footage: Path, dataset: Path, executor: str) -> list[str]:
    """What the recipe cannot say: where things lie, and the world's own CLIP with what hangs on it."""
    rule = {"name": CAPTION_REASON, "keep": f"coalesce(alignment, 1) >= {MIN_ALIGNMENT}"}
    return [
        f"input={json.dumps([str(footage)])}",
        f"dataset={json.dumps(str(dataset))}",
        f"executor.kind={executor}",
        f"embedding.weights={json.dumps(str(CLIP_WEIGHTS))}",
        f"select.rules={json.dumps([rule])}",
    ]


def say(args: argparse.Namespace, text: str) -> None:
    """Print for a person; on standard error where standard output is for a program."""
    print(text, file=sys.stderr if args.json else sys.stdout, flush=True)


def _since(started: float) -> str:
    return f"{time.monotonic() - started:.0f} s"
