"""`rushes`: parse the command line, run one subcommand, turn a user's mistake into one sentence."""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
from collections.abc import Mapping, Sequence

from captioner.evaluate.config import EvaluateConfig
from captioner.finetune.config import FinetuneConfig
from infra.cli import (
    captioner,
    clip,
    demo,
    evaluate,
    experiment,
    forget,
    inspect,
    plan,
    run,
    sample,
    train,
    vae,
    verify,
)
from infra.config import RunConfig
from infra.evaluate.config import EvaluateConfig as VideoEvaluateConfig
from infra.experiment.config import ExperimentConfig
from infra.sample_config import SampleConfig
from pipeline.clip.train_config import ClipTrainConfig
from schemas import Config, ConfigError
from trainer.config import TrainConfig
from trainer.vae_train.config import VaeTrainConfig

_CONFIGS: Mapping[str, tuple[type[Config], ...]] = {
    "run": (RunConfig,),
    "plan": (RunConfig,),
    "captioner": (FinetuneConfig, EvaluateConfig),
    "clip": (ClipTrainConfig,),
    "vae": (VaeTrainConfig,),
    "train": (TrainConfig,),
    "sample": (SampleConfig,),
    "evaluate": (VideoEvaluateConfig,),
    "experiment": (ExperimentConfig,),
}
"""Commands that take `key.path=value`, and of which configs."""


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
    for command in (
        run,
        plan,
        inspect,
        forget,
        captioner,
        clip,
        train,
        vae,
        sample,
        evaluate,
        experiment,
        verify,
        demo,
    ):
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
    configs = _CONFIGS.get(argv[0]) if argv else None
    if configs is None:
        return argv, []
    keys = [key for config in configs for key in config.model_fields]
    overrides = [text for text in argv[1:] if _is_override(text, keys)]
    return [argv[0], *(text for text in argv[1:] if not _is_override(text, keys))], overrides


def _is_override(text: str, keys: Sequence[str]) -> bool:
    """Whether an argument sets a key, or was meant to: `a=b` may as well be a file's name."""
    key, sign, _ = text.partition("=")
    if not sign or not re.fullmatch(r"[a-z_]+(\.[a-z0-9_]+)*", key):
        return False
    return "." in key or bool(difflib.get_close_matches(key, keys, n=1, cutoff=0.75))


def _printable(text: str) -> str:
    """The text without control characters, which a hostile file name could use on the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


if __name__ == "__main__":
    sys.exit(main())
