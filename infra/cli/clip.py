"""`rushes clip`: train a small CLIP on a dataset's captioned clips, and measure one."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from infra.cli.config import config_of
from infra.cli.progress import StepProgress, say


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("clip", help="train a small CLIP on captioned clips, or measure one")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    training = verbs.add_parser("train", help="train; the same command goes on where it was stopped")
    training.add_argument("config", metavar="CONFIG.yaml", help="such as infra/recipes/clip-train.yaml")
    training.add_argument("--dataset", nargs="+", required=True, metavar="DIR", help="datasets made by `rushes run`")
    training.add_argument("--out", required=True, type=Path, metavar="DIR", help="where the model goes")
    training.add_argument("--steps", type=int, metavar="N", help="as the config's steps")
    training.add_argument("--json", action="store_true", help="print a JSON object at the end")
    training.set_defaults(func=run_training)
    measuring = verbs.add_parser("evaluate", help="retrieval and alignment on captioned clips")
    measuring.add_argument("weights", metavar="WEIGHTS", help="a path, a tag of open_clip or hf-hub:OWNER/MODEL")
    measuring.add_argument("--architecture", metavar="NAME", help="where it does not lie beside the weights")
    measuring.add_argument("--dataset", nargs="+", required=True, metavar="DIR", help="datasets made by `rushes run`")
    measuring.add_argument("--json", action="store_true", help="print a JSON object")
    measuring.set_defaults(func=run_evaluation)


def run_training(args: argparse.Namespace) -> int:
    """Train and measure on what was kept back; give the exit status.

    Raises:
        ConfigError: Something that the user asked for is wrong.
    """
    from pipeline.clip.pairs import captioned_clips, split
    from pipeline.clip.train import WEIGHTS_FILE, train
    from pipeline.clip.train_config import ClipTrainConfig

    config = config_of(args, ClipTrainConfig, steps="steps")
    learnt, kept = split(captioned_clips(args.dataset), config.held_out_share)
    say(f"{len(learnt)} clips to learn from, {len(kept)} kept back")
    train(config, learnt, args.out, StepProgress(config.steps))
    weights = args.out / WEIGHTS_FILE
    say(f"{weights}: {weights.stat().st_size / 2**20:.2f} MiB")
    if len(kept) < 2:
        return 0
    return _evaluate(str(weights), None, kept, as_json=args.json)


def run_evaluation(args: argparse.Namespace) -> int:
    """Measure a model; give the exit status.

    Raises:
        ConfigError: Something that the user asked for is wrong.
    """
    from pipeline.clip.pairs import captioned_clips

    return _evaluate(args.weights, args.architecture, captioned_clips(args.dataset), as_json=args.json)


def _evaluate(weights: str, architecture: str | None, clips: Any, *, as_json: bool) -> int:
    from pipeline.clip import ClipConfig, find_clip, load_clip
    from pipeline.clip.evaluate import evaluate

    model = load_clip(find_clip(ClipConfig(weights=weights, architecture=architecture), "clip"), what="clip")
    found = evaluate(model, clips)
    if as_json:
        print(json.dumps(found.to_json()))
        return 0
    print(
        f"{found.num_clips} clips (chance {1 / found.num_clips:.2%}): caption finds its clip "
        f"{found.text_to_clip_r1:.1%}, among five {found.text_to_clip_r5:.1%}; clip finds its caption "
        f"{found.clip_to_text_r1:.1%}"
    )
    print(
        f"true pairs above false ones: {found.auc:.2%} (area under the curve); "
        f"mean cosine {found.mean_true:.3f} against {found.mean_false:.3f}"
    )
    return 0
