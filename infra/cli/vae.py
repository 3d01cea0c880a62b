"""`rushes vae`: train a video autoencoder on a dataset's clips, and measure one."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.cli.config import config_of
from infra.cli.progress import StepProgress, say
from schemas import ConfigError

if TYPE_CHECKING:
    from trainer.vae_train import TrainingClip, VaeTrainConfig

FIGURES_FILE = "figures.json"


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("vae", help="train a video autoencoder on clips, or measure one")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    training = verbs.add_parser("train", help="train; the same command goes on where it was stopped")
    training.add_argument("--steps", type=int, metavar="N", help="as the config's steps")
    training.add_argument("--finish", action="store_true", help="take no more steps; save what the checkpoint holds")
    training.set_defaults(func=run_training)
    measuring = verbs.add_parser("evaluate", help="PSNR, SSIM and flicker on the clips that are kept back")
    measuring.add_argument("--model", metavar="DIR", help="a folder of diffusers, or of the hub; OUT/vae without it")
    measuring.set_defaults(func=run_evaluation)
    for verb in (training, measuring):
        verb.add_argument("config", metavar="CONFIG.yaml", help="such as infra/recipes/vae-train.yaml")
        verb.add_argument("--dataset", nargs="+", required=True, metavar="DIR", help="datasets made by `rushes run`")
        verb.add_argument("--out", required=True, type=Path, metavar="DIR", help="where the model and its figures go")
        verb.add_argument("--json", action="store_true", help="print a JSON object at the end")


def run_training(args: argparse.Namespace) -> int:
    """Train and measure on what was kept back; give the exit status.

    Raises:
        ConfigError: Something that the user asked for is wrong.
    """
    from pipeline.media import MediaLimits
    from pipeline.storage import spooled
    from trainer.vae_train.train import train

    config, learnt, kept = _load(args)
    say(f"{len(learnt)} clips to learn from, {len(kept)} kept back")
    progress = StepProgress(config.steps)
    folder = train(config, learnt, args.out, MediaLimits(), spooled, progress, finish=args.finish)
    size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    say(f"{folder}: {size / 2**20:.2f} MiB")
    return _evaluate(config, str(folder), kept, args) if kept else 0


def run_evaluation(args: argparse.Namespace) -> int:
    """Measure a model; give the exit status.

    Raises:
        ConfigError: Something that the user asked for is wrong.
    """
    config, learnt, kept = _load(args)
    return _evaluate(config, args.model or str(args.out / "vae"), kept or learnt, args)


def _load(args: argparse.Namespace) -> tuple[VaeTrainConfig, list[TrainingClip], list[TrainingClip]]:
    from trainer.vae_train import VaeTrainConfig, split, training_clips

    config = config_of(args, VaeTrainConfig, steps="steps")
    return config, *split(training_clips(args.dataset), config.held_out_share)


def _evaluate(config: VaeTrainConfig, model: str, clips: list[TrainingClip], args: argparse.Namespace) -> int:
    import torch

    from pipeline.media import MediaLimits
    from pipeline.storage import spooled
    from trainer.autoencoder import AutoencoderConfig, find_autoencoder, load
    from trainer.vae_train.evaluate import evaluate
    from trainer.vae_train.source import Windows

    torch.set_num_threads(config.threads)
    source = find_autoencoder(AutoencoderConfig(model=model), "--model")
    windows = Windows(config, clips, source.stride, MediaLimits(), spooled)
    try:
        found = evaluate(load(source, config.device), windows.middles(config.num_measured))
    finally:
        windows.close()
    told = {"model": model, "digest": source.digest, **found.to_json()}
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / FIGURES_FILE).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{args.out}: cannot be written: {error.strerror or error}") from error
    if args.json:
        print(json.dumps(told))
        return 0
    compression = source.stride[0] * source.stride[1] * source.stride[2] * 3 / source.channels
    print(
        f"{found.num_clips} clips, {compression:.0f} numbers in one: PSNR {found.psnr_db:.2f} dB, "
        f"SSIM {found.ssim:.3f}, flicker {found.flicker:.2f} of {found.motion:.2f} levels of change"
    )
    return 0
