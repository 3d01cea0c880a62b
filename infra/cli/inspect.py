"""`rushes inspect`: look at a dataset. Changes nothing."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import duckdb

from infra.cli.address import add_address
from infra.inspect import Answer, funnel, funnel_json, funnel_text, open_views, story_text, tell, write_report
from infra.inspect.buckets import buckets_text, read_buckets
from infra.inspect.labels import judgements
from infra.inspect.overview import overview, overview_text
from infra.inspect.sql import TIMEOUT_S, view_names
from infra.inspect.text import json_lines, size, table_lines, visible
from infra.inspect.what_if import what_if, what_if_text
from pipeline.dataset import Dataset
from schemas import ConfigError


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "inspect",
        help="look at a dataset: SQL, one clip, the funnel, the buckets, a report page",
        description="Look at a dataset; without an option, a short overview. Changes nothing.",
        epilog=f"Tables in SQL: {', '.join(view_names())}. A slash in a table's name is an underscore there "
        "(manifest/scores/scan is scores_scan); `scores` has one row a clip with the scores of every scorer. "
        'Example: rushes inspect out/ds --sql "SELECT error_kind, count(*) FROM files GROUP BY ALL"',
    )
    parser.add_argument("dataset", metavar="DATASET", help="its folder, or s3://BUCKET/PREFIX")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--sql", metavar="SELECT", help="run one DuckDB SELECT over the dataset's tables")
    what.add_argument("--clip", metavar="ID", help="tell all of one clip; the beginning of its id is enough")
    what.add_argument(
        "--funnel",
        action="store_true",
        help="what reaches each step, and what is lost; with labels, how right each rule is",
    )
    what.add_argument("--buckets", action="store_true", help="pixels and frames that the buckets lose, by native size")
    what.add_argument(
        "--what-if",
        metavar="[NAME=]EXPR",
        action="append",
        help='what another rule would change: "aesthetic >= 5.0" adds one, "blurred=sharpness >= 6" changes or adds '
        "the one of that name; may be given several times",
    )
    what.add_argument("--serve", action="store_true", help="show the page to a browser, with all clips and labels")
    what.add_argument("--report", metavar="OUT.html", type=Path, help="write one self-contained page")
    add_address(parser, 8765)
    parser.add_argument("--reviewer", metavar="NAME", help="in whose name labels are written (default: $USER)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--timeout",
        metavar="S",
        type=float,
        default=TIMEOUT_S,
        help="seconds --sql may work (default: %(default)g)",
    )
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Do it; give the exit status.

    Raises:
        ConfigError: There is no such dataset, or what is asked of it is wrong.
    """
    if not args.timeout > 0:
        raise ConfigError(f"--timeout {args.timeout:g}: must be above 0")
    dataset = Dataset(args.dataset)
    dataset.describe()
    if args.serve:
        return _serve(dataset, args)
    if args.report is not None:
        num_bytes = write_report(dataset, args.report)
        said: dict[str, Any] = {"report": str(args.report), "num_bytes": num_bytes}
        _say(said, f"{visible(str(args.report))}: {size(num_bytes)}", as_json=args.json)
        return 0
    if args.what_if:
        found = what_if(dataset, args.what_if)
        _say(found.to_json(), what_if_text(found), as_json=args.json)
        return 0
    with open_views(dataset.manifest) as db:
        _show(db, dataset, args)
    return 0


def _serve(dataset: Dataset, args: argparse.Namespace) -> int:
    from infra.serve import serve

    def say(url: str) -> None:
        print(json.dumps({"url": url}) if args.json else f"{url}  (Ctrl-C ends it)", flush=True)

    reviewer = os.environ.get("USER", "reviewer") if args.reviewer is None else args.reviewer
    serve(dataset, host=args.host, port=args.port, reviewer=reviewer, say=say)
    return 0


def _show(db: duckdb.DuckDBPyConnection, dataset: Dataset, args: argparse.Namespace) -> None:
    if args.sql is not None:
        with Answer(db, args.sql, timeout_s=args.timeout) as answer:
            write = json_lines if args.json else table_lines
            for line in write(answer.columns, answer.rows()):
                print(line)
    elif args.clip is not None:
        story = tell(db, dataset, args.clip)
        _say(story.to_json(), story_text(story), as_json=args.json)
    elif args.funnel:
        judged = judgements(db)
        steps = funnel(db, judged)
        _say(funnel_json(steps), funnel_text(steps, judged.get("")), as_json=args.json)
    elif args.buckets:
        buckets = read_buckets(db, dataset.describe())
        _say(buckets.to_json(), buckets_text(buckets), as_json=args.json)
    else:
        found = overview(db, dataset)
        _say(found, overview_text(found), as_json=args.json)


def _say(value: Any, text: str, *, as_json: bool) -> None:
    print(json.dumps(value, indent=1) if as_json else text)
