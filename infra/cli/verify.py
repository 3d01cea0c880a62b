"""`rushes verify`: what a file says of where it comes from, and whether that holds."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas import ConfigError

if TYPE_CHECKING:
    from trainer.sampling.inspection import Findings

MAX_TRUST_BYTES = 1 << 20
TAMPERED = 1
"""Exit status."""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "verify",
        help="tell whether a file says that it is made by AI: signature, record, watermark",
        description="Exit status 0: it says so; 1: it was changed after it was signed, or its signature does not hold; "
        "2: nothing says so, which does not show that it is not.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="a video or a picture")
    parser.add_argument("--trust", type=Path, metavar="PEM", help="certificates of those whose signatures count")
    parser.add_argument("--key", default="rushes", metavar="TEXT", help="as provenance.watermark_key")
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Print what is found in a file; give the exit status.

    Raises:
        ConfigError: It cannot be read, or nothing in it says that it is made by AI.
    """
    from trainer.sampling.inspection import inspect

    found = inspect(args.file, args.key, _trusted(args.trust))
    if not found.is_broken and not found.says_ai:
        raise ConfigError(
            f"{args.file}: nothing says that it is made by AI: {'; '.join(found.lines())}. That does not show that it "
            "is not"
        )
    if args.json:
        print(json.dumps(found.to_json()))
    else:
        _show(args.file, found)
    return TAMPERED if found.is_broken else 0


def _trusted(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            pem = file.read(MAX_TRUST_BYTES + 1)
        text = pem.decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--trust: {path}: cannot be read: {error}") from error
    if len(pem) > MAX_TRUST_BYTES or "-----BEGIN CERTIFICATE-----" not in text:
        raise ConfigError(f"--trust: {path}: is no PEM file of certificates")
    return text


def _show(path: Path, found: Findings) -> None:
    print(f"{path}: {found.verdict}")
    for line in found.lines():
        print(f"  {_printable(line)}")
    if found.record is not None:
        _show_record(found.record)


def _show_record(record: Mapping[str, Any]) -> None:
    width = max(map(len, record))
    for key, value in record.items():
        print(f"    {_printable(key):{width}}  {_printable(value)}")


def _printable(value: object) -> str:
    """A value without control characters: the file may be anybody's."""
    text = value if isinstance(value, str) else json.dumps(value)
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
