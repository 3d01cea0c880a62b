"""`rushes evaluate`: whether a model's videos show what their prompts say, on the miniature world."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.cli.config import config_of
from infra.cli.progress import Pace, say
from schemas import ConfigError

if TYPE_CHECKING:
    from infra.evaluate.run import Report

PARTS = ("adherence", "consistency", "modes")


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure whether videos show what their prompts say",
        description="Makes videos of unseen scenes of the miniature world with a model and judges them by what can be "
        "seen, beside rendered footage of the same scenes (the ceiling) and wrong prompts (the floor). Videos that "
        "were made before are kept.",
    )
    parser.add_argument("config", metavar="CONFIG.yaml", nargs="?", help="such as infra/recipes/demo-evaluate.yaml")
    parser.add_argument("--only", metavar="PART[,PART]", help=f"some of {','.join(PARTS)}")
    parser.add_argument("--videos", type=Path, metavar="DIR", help="judge the videos of a folder, each with its .txt")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where verdicts and pages go; as `out` of the config")
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Judge and print the table; give the exit status.

    Raises:
        ConfigError: Something that the user asked for is wrong.
    """
    from infra.evaluate.config import EvaluateConfig
    from infra.evaluate.run import evaluate, judge_folder

    parts = _parts(args.only)
    progress = _SometimesSay()
    if args.videos is not None:
        if args.config is not None or args.only is not None:
            raise ConfigError("command line: --videos judges what is there: it goes without CONFIG.yaml and --only")
        report = judge_folder(args.videos, args.out, progress)
    else:
        if args.config is None:
            raise ConfigError("command line: CONFIG.yaml is missing, or --videos DIR")
        report = evaluate(config_of(args, EvaluateConfig, out="out"), parts, progress)
    _print(report, as_json=args.json)
    return 0


def _parts(only: str | None) -> tuple[str, ...]:
    if only is None:
        return PARTS
    chosen = tuple(part.strip() for part in only.split(","))
    for part in chosen:
        if part not in PARTS:
            raise ConfigError(f"command line: --only has no {part!r}; it takes {', '.join(PARTS)}")
    return chosen


def _print(report: Report, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(report.to_json()))
        return
    print("\n\n".join(report.tables))
    for note in report.notes:
        print(note)


class _SometimesSay:
    """Says every now and then how far it is."""

    def __init__(self) -> None:
        self._pace = Pace()

    def __call__(self, text: str) -> None:
        if self._pace.is_due():
            say(text)
