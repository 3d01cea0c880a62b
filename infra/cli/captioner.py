"""`rushes captioner`: train a captioner on captioned clips, and measure one or two."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.cli.config import config_of
from infra.cli.progress import REPORT_S, Pace, say

if TYPE_CHECKING:
    from infra.captioner_table import Table
    from pipeline.manifest import Manifest


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("captioner", help="train a captioner on captioned clips, or measure one")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    training = verbs.add_parser("train", help="train; the same command goes on where it was stopped")
    training.add_argument("config", metavar="CONFIG.yaml", help="such as infra/recipes/captioner-train.yaml")
    training.add_argument("--dataset", nargs="+", required=True, metavar="DIR", help="datasets made by `rushes run`")
    training.add_argument("--out", required=True, type=Path, metavar="DIR", help="where the model goes")
    training.set_defaults(func=run_training)
    measuring = verbs.add_parser("evaluate", help="attributes, BLEU and CIDEr, CLIP score and a judge's, side by side")
    measuring.add_argument("config", metavar="CONFIG.yaml", help="such as infra/recipes/captioner-evaluate.yaml")
    measuring.add_argument("--dataset", nargs="+", required=True, metavar="DIR", help="datasets made by `rushes run`")
    measuring.add_argument("--clip", metavar="WEIGHTS", help="a CLIP model (as embedding.weights), for the CLIP score")
    measuring.add_argument("--json", action="store_true", help="print a JSON object")
    measuring.set_defaults(func=run_evaluation)


def run_training(args: argparse.Namespace) -> int:
    """Train; give the exit status.

    Raises:
        ConfigError: Something that the user asked for is wrong.
    """
    from captioner.finetune import FinetuneConfig, caption_pairs, finetune, split
    from pipeline.media import MediaLimits
    from pipeline.storage import spooled

    config = config_of(args, FinetuneConfig)
    pairs = caption_pairs(_manifests(args.dataset), answers=config.answers, caption_set=config.caption_set)
    learnt, kept = split(pairs, config.held_out_ratio)
    say(f"{len(learnt)} clips to learn from, {len(kept)} kept back")
    folder = finetune(config, learnt, kept, args.out, limits=MediaLimits(), open_source=spooled, say=_SometimesSay())
    if os.environ.get("RANK", "0") == "0":
        print(f"the model is in {folder}: caption.engine.model={folder}")
    return 0


def run_evaluation(args: argparse.Namespace) -> int:
    """Measure captioners on the same clips and print them side by side; give the exit status.

    Raises:
        ConfigError: Something that the user asked for is wrong.
    """
    from captioner.evaluate import EvaluateConfig
    from captioner.finetune import caption_pairs
    from infra.captioner_table import captioner_table

    config = config_of(args, EvaluateConfig)
    pairs = caption_pairs(_manifests(args.dataset), answers=config.answers, caption_set=config.caption_set)
    table = captioner_table(config, pairs, args.clip, say)
    print(json.dumps(table)) if args.json else _print_table(table)
    return 0


def _manifests(roots: Sequence[str]) -> list[Manifest]:
    """The tables of datasets.

    Raises:
        ConfigError: One of them is no dataset.
    """
    from pipeline.dataset import Dataset

    datasets = [Dataset(root) for root in roots]
    for dataset in datasets:
        dataset.describe()
    return [dataset.manifest for dataset in datasets]


def _print_table(table: Table) -> None:
    """Print measures down, captioners across."""
    measures = list(dict.fromkeys(measure for row in table.values() for measure in row))
    width = max(len(measure) for measure in measures)
    wide = max(9, *(len(name) for name in table))
    print(" " * width, *(f"{name:>{wide}}" for name in table))
    for measure in measures:
        print(f"{measure:{width}}", *(f"{_shown(row.get(measure)):>{wide}}" for row in table.values()))


def _shown(value: float | int | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"


class _SometimesSay:
    """Says every few seconds how far the training is, and everything else at once."""

    def __init__(self) -> None:
        self._pace = Pace(REPORT_S, is_first_due=True)

    def __call__(self, text: str) -> None:
        is_step = text.startswith("step") and "clips/s" in text
        if not is_step or self._pace.is_due():
            say(text)
