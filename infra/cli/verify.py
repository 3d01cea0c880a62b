"""`rushes verify`: what a file says of where it comes from."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("verify", help="print what a generated file says of itself: model, prompt, seed")
    parser.add_argument("file", type=Path, metavar="FILE", help="an MP4 or a PNG that `rushes sample` wrote")
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Print the record of a file; give the exit status.

    Raises:
        ConfigError: It cannot be read, or holds none.
    """
    from trainer.sampling.provenance import read_record

    record = read_record(args.file)
    if args.json:
        print(json.dumps(record))
        return 0
    print(
        f"{args.file}: {_printable(record.get('statement'))}; the record is not signed, so anybody can have written it"
    )
    width = max(map(len, record))
    for key, value in record.items():
        print(f"  {_printable(key):{width}}  {_printable(value)}")
    return 0


def _printable(value: object) -> str:
    """A value without control characters: the file may be anybody's."""
    text = value if isinstance(value, str) else json.dumps(value)
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
