"""`rushes`: parse the command line, run one subcommand, turn a user's mistake into one sentence."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Mapping, Sequence

from infra.cli import clip, demo, inspect, plan, run
from infra.config import RunConfig
from pipeline.clip.train_config import ClipTrainConfig
from schemas import Config, ConfigError

_CONFIGS: Mapping[str, type[Config]] = {"run": RunConfig, "plan": RunConfig, "clip": ClipTrainConfig}
"""Commands that take `key.path=value`, and of which config."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Arguments after the program's name; those of this process without it.

    Returns:
        The exit status: 0 done, 1 too many items failed, 2 the user's input is wrong, 130 interrupted.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="rushes", description="From raw footage to a trained video model.", allow_abbrev=False
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (run, plan, inspect, clip, demo):
        command.add_parser(subparsers)
    given, overrides = _split_overrides(given)
    args = parser.parse_args(given)
    args.overrides = overrides
    try:
        return int(args.func(args))
    except ConfigError as error:
        print(f"rushes: {_printable(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("rushes: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python must not complain about it at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _split_overrides(argv: list[str]) -> tuple[list[str], list[str]]:
    """Take `key.path=value` arguments out, wherever they stand: argparse would give them to `--input`."""
    config = _CONFIGS.get(argv[0]) if argv else None
    if config is None:
        return argv, []
    override = re.compile(rf"({'|'.join(config.model_fields)}|[a-z_]+\.[a-z0-9_.]+)=.*", re.DOTALL)
    overrides = [text for text in argv[1:] if override.fullmatch(text)]
    return [argv[0], *(text for text in argv[1:] if not override.fullmatch(text))], overrides


def _printable(text: str) -> str:
    """The text without control characters, which a hostile file name could use on the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


if __name__ == "__main__":
    sys.exit(main())
