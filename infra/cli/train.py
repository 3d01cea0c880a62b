"""`rushes train`: a diffusion transformer from a dataset's shards."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.cli.config import config_of
from infra.cli.progress import Pace, say
from schemas import ConfigError

if TYPE_CHECKING:
    from trainer.config import TrainConfig
    from trainer.metrics import StepRecord


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "train",
        help="train a diffusion transformer on a dataset's shards",
        description="Alone; under torchrun or deepspeed: `torchrun --nproc-per-node 8 -m infra.cli.main train …`; or "
        "with --ray on a Ray cluster, where a rank that dies is started again with the others.",
    )
    parser.add_argument("config", metavar="CONFIG.yaml", help="such as infra/recipes/demo-train.yaml")
    parser.add_argument("--dataset", required=True, metavar="DIR", help="a folder, or s3://BUCKET/PREFIX, with shards")
    parser.add_argument("--out", type=Path, metavar="RUN", help="the run's folder; a dry run needs none")
    parser.add_argument("--steps", type=int, metavar="N", help="as the config's steps")
    parser.add_argument("--resume", action="store_true", help="go on with the run that is there")
    parser.add_argument("--dry-run", action="store_true", help="tell what would be trained; start nothing")
    parser.add_argument("--ray", action="store_true", help="ranks are workers of Ray Train")
    parser.add_argument("--address", help="with --ray: a running cluster (auto, HOST:PORT, ray://HOST:10001)")
    parser.add_argument(
        "--max-failures", type=int, default=3, metavar="N", help="with --ray: how often ranks are started again"
    )
    parser.add_argument("--ranks", type=int, default=1, metavar="N", help="with --ray or --dry-run: how many ranks")
    parser.add_argument("--clips-of", type=int, metavar="STEP", help="list the clips that a step of the run saw")
    parser.add_argument("--json", action="store_true", help="of a dry run: print a JSON object")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Train, or tell what a training would do or did; give the exit status.

    Raises:
        ConfigError: Something that the user asked for is wrong.
    """
    from trainer.config import TrainConfig

    config = config_of(args, TrainConfig, steps="steps")
    if args.dry_run:
        return _tell(config, args)
    if args.out is None:
        raise ConfigError("command line: --out is missing")
    if args.clips_of is not None:
        return _tell_clips(config, args.out, args.clips_of)
    if args.ray:
        return _train_on_ray(config, args)
    from infra.training_samples import samples_of
    from trainer.loop import train

    show = samples_of(config, args.out)
    train(config, args.dataset, args.out, resume=args.resume, report=_Progress(config.steps), show=show)
    return 0


def _train_on_ray(config: TrainConfig, args: argparse.Namespace) -> int:
    from infra.ray_training import train_on_ray

    _check_ranks(args)
    train_on_ray(
        config,
        args.dataset,
        args.out,
        resume=args.resume,
        num_ranks=args.ranks,
        address=args.address,
        max_failures=args.max_failures,
        report=_Progress(config.steps),
    )
    return 0


def _check_ranks(args: argparse.Namespace) -> None:
    if args.ranks < 1:
        raise ConfigError(f"command line: --ranks is at least 1, got {args.ranks}")


def _tell(config: TrainConfig, args: argparse.Namespace) -> int:
    from infra.inspect.buckets import read_buckets
    from infra.inspect.sql import open_views
    from pipeline.dataset import Dataset
    from trainer.dry_run import dry_run
    from trainer.prepare import pin

    _check_ranks(args)
    dataset = Dataset(args.dataset)
    described = dataset.describe()
    pinned = pin(args.dataset, config)
    found = dry_run(config, pinned, args.ranks)
    with open_views(dataset.manifest) as db:
        cropped = read_buckets(db, described).total
        unseen = _count_unseen(db, pinned.text_set)
    if args.json:
        print(json.dumps({**found.to_json(), "crop_ratio": cropped.crop_ratio, "num_kept_without_sample": unseen}))
        return 0
    for line in found.lines():
        print(line)
    if cropped.num_clips:
        print(
            f"native size cropped by {cropped.crop_ratio:.1%} and scaled down by {cropped.downscale_ratio:.1%}; of the "
            f"frames {cropped.skipped_ratio:.1%} are skipped and {cropped.cut_ratio:.1%} lie after the last one taken"
        )
    print(f"never seen  {unseen:,} kept clips have no sample")
    return 0


def _count_unseen(db: Any, text_set: str) -> int:
    found = db.execute(
        "SELECT count(*) FROM selection "
        "WHERE kept AND clip_id NOT IN (SELECT clip_id FROM samples WHERE shard_set = ?)",
        [text_set],
    ).fetchall()
    return int(found[0][0])


def _tell_clips(config: TrainConfig, out: Path, step: int) -> int:
    from trainer.prepare import patch_channels, split
    from trainer.run_folder import RunFolder
    from trainer.steps import Steps

    if step < 1:
        raise ConfigError(f"command line: --clips-of counts steps from 1, got {step}")
    pinned = RunFolder(out).load(config)
    learnt, _ = split(pinned.rows, config)
    steps = Steps(learnt, config, patch_channels=patch_channels(config, pinned), text_width=pinned.text_width)
    for clip_id in steps.clip_ids(step - 1):
        print(clip_id)
    return 0


class _Progress:
    """Says every now and then how far the training is."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._pace = Pace(is_first_due=True)

    def __call__(self, record: StepRecord) -> None:
        if not self._pace.is_due(is_last=record.step == self._steps):
            return
        left_s = (self._steps - record.step) * record.elapsed_s
        say(
            f"step {record.step:,} of {self._steps:,}: loss {record.loss:.4f}, "
            f"{record.useful_tokens_per_s:,.0f} tokens/s, waste {record.waste:.1%}, mfu {record.mfu:.1%}, "
            f"wait {record.data_wait_s / record.elapsed_s:.1%}, about {left_s / 60:,.0f} min left"
        )
