"""`rushes experiment`: what native sizes and compute are worth, on the miniature world."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from infra.cli.config import config_of
from infra.cli.progress import say

NAMES = ("native-vs-square", "compute")


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "experiment",
        help="compare small models: native sizes against square crops, quality by compute",
        description="Renders films of the miniature world, curates and encodes them, trains several small models and "
        "judges their videos; writes a table and a plot. A run that was stopped goes on where it was.",
    )
    parser.add_argument("name", choices=NAMES, metavar="NAME", help=" or ".join(NAMES))
    parser.add_argument("config", metavar="CONFIG.yaml", help="such as infra/recipes/experiment.yaml")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where everything goes; as `out` of the config")
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Train, judge, print the table; give the exit status.

    Raises:
        ConfigError: Something that the user asked for is wrong.
    """
    from infra.experiment import ExperimentConfig, measure_compute, measure_native_vs_square

    config = config_of(args, ExperimentConfig, out="out")
    measure = {"native-vs-square": measure_native_vs_square, "compute": measure_compute}[args.name]
    result = measure(config, say)
    print(json.dumps(result.to_json()) if args.json else result.to_markdown(), end="\n" if args.json else "")
    return 0
