"""Train an autoencoder on windows of clips: a step is a pure function of its number, so that a stop loses nothing."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pipeline.media.torchvision_cpu  # noqa: F401  # isort: skip
import diffusers
import torch

from pipeline.media import MediaLimits
from schemas import ConfigError, digest
from trainer.autoencoder import FAMILIES, AutoencoderConfig, find_autoencoder
from trainer.autoencoder.diffusers_model import load_autoencoder
from trainer.autoencoder.families import Family
from trainer.vae_train.checkpoint import TrainingState
from trainer.vae_train.clips import TrainingClip
from trainer.vae_train.config import VaeModelConfig, VaeTrainConfig
from trainer.vae_train.loss import ReconstructionLoss
from trainer.vae_train.source import OpenSource, Windows

CHECKPOINT_FILE = "checkpoint.safetensors"
MODEL_FOLDER = "vae"
Report = Callable[[int, float], None]
"""Told the number of steps done and the loss of the last one."""


def train(
    config: VaeTrainConfig,
    clips: Sequence[TrainingClip],
    out: Path,
    limits: MediaLimits,
    open_source: OpenSource,
    report: Report,
    *,
    finish: bool = False,
) -> Path:
    """Train, going on from the checkpoint in `out` where there is one, and save the model as diffusers does.

    Args:
        config: How.
        clips: What to learn from.
        out: Where the checkpoint and the folder `vae` go.
        limits: What a decoder may use.
        open_source: How a uri becomes a path.
        report: Called after each step.
        finish: Take no more steps, and save what the checkpoint holds.

    Returns:
        The folder of the model.

    Raises:
        ConfigError: There are no clips, the model cannot be built, `out` cannot be written, or the checkpoint there is
            of another run, or there is none to finish.
    """
    if not clips:
        raise ConfigError("there are no clips to learn from: all are kept back by held_out_share")
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    family = FAMILIES[config.model.class_name]
    network = build(config.model).to(config.device).train()
    try:
        stride = family.stride(network.config)
        out.mkdir(parents=True, exist_ok=True)
    except ValueError as error:
        raise ConfigError(f"model.arguments: {error}") from error
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written: {error.strerror or error}") from error
    run = digest([config.output_digest(), [clip.clip_id for clip in clips]])
    state = TrainingState(config, network)
    loss_of = ReconstructionLoss(config.loss).to(config.device)
    done = state.resume(out / CHECKPOINT_FILE, run)
    if finish and not done:
        raise ConfigError(f"{out}: holds no checkpoint to finish")
    steps = done if finish else config.steps
    windows = Windows(config, clips, stride, limits, open_source)
    try:
        for step, batch in zip(range(done, steps), windows.batches(done), strict=False):
            loss = _step(config, state, loss_of, family, batch, step)
            state.update(step)
            if (step + 1) % config.checkpoint_steps == 0 or step + 1 == config.steps:
                state.save(out / CHECKPOINT_FILE, run, step + 1)
            report(step + 1, loss)
        network.load_state_dict(state.mean)
        shapes = list(windows.middles(config.num_measured))
    finally:
        windows.close()
    return _save(network.eval(), family, shapes, out / MODEL_FOLDER, config.save_dtype)


def build(config: VaeModelConfig) -> Any:
    """The network to begin with.

    Raises:
        ConfigError: diffusers cannot build it.
    """
    if config.start_from is not None:
        source = find_autoencoder(AutoencoderConfig(model=config.start_from), "model.start_from")
        if source.class_name != config.class_name:
            raise ConfigError(f"model.start_from: {config.start_from} is a {source.class_name}: say so in class_name")
        return load_autoencoder(source).network.requires_grad_(True)
    arguments = dict(config.arguments)
    if config.class_name == "AutoencoderKLWan":
        # Measured at the end, and until then of no effect; the class's own are of another model.
        channels = arguments.get("z_dim", 16)
        arguments |= {"latents_mean": [0.0] * channels, "latents_std": [1.0] * channels}
    try:
        network = getattr(diffusers, config.class_name)(**arguments)
        FAMILIES[config.class_name].stride(network.config)
    except (TypeError, ValueError, RuntimeError, LookupError, AssertionError) as error:
        raise ConfigError(f"model.arguments: {config.class_name} cannot be built: {error}") from error
    return network


def _step(
    config: VaeTrainConfig,
    state: TrainingState,
    loss_of: ReconstructionLoss,
    family: Family,
    batch: Sequence[torch.Tensor],
    step: int,
) -> float:
    """Gather the gradients of one batch; windows of one shape go through the network together."""
    by_shape: dict[torch.Size, list[torch.Tensor]] = {}
    for window in batch:
        by_shape.setdefault(window.shape, []).append(window)
    # On the processor wherever the network is, so that a run does not depend on the device.
    noise = torch.Generator().manual_seed(int(digest([config.seed, step])[:15], 16))
    total = 0.0
    for windows in by_shape.values():
        x = torch.stack(windows).to(config.device)
        loss = loss_of(state.working, family, x, noise) * (len(windows) / len(batch))
        loss.backward()
        total += loss.item()
    if not math.isfinite(total):
        raise ConfigError(f"the loss of step {step} is {total}: take a lower learning_rate")
    return total


def _save(network: Any, family: Family, shapes: Iterable[torch.Tensor], folder: Path, dtype: str) -> Path:
    """Measure how latents are spread, write that into the model, and save it whole."""
    mean, std = _spread(network, family, shapes)
    name = type(network).__name__
    if name == "AutoencoderKLWan":
        network.register_to_config(latents_mean=mean.tolist(), latents_std=std.tolist())
    elif name == "AutoencoderKLLTXVideo":
        network.latents_mean.copy_(mean)
        network.latents_std.copy_(std)
    else:
        network.register_to_config(scaling_factor=1 / float(std.square().mean().sqrt()))
    scratch = folder.with_name(f"{folder.name}.tmp")
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        # The class's own `to` warns of a loss of precision, which is what is meant.
        torch.nn.Module.to(network, dtype=getattr(torch, dtype)).save_pretrained(scratch)
        _plain_config(scratch / "config.json")
        shutil.rmtree(folder, ignore_errors=True)
        scratch.rename(folder)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written: {error.strerror or error}") from error
    return folder


def _plain_config(path: Path) -> None:
    """Take out of a config where it was made, and put its keys in order: equal models have equal files."""
    about = json.loads(path.read_text(encoding="utf-8"))
    about.pop("_name_or_path", None)
    path.write_text(json.dumps(about, indent=1, sort_keys=True) + "\n", encoding="utf-8")


@torch.inference_mode()
def _spread(network: Any, family: Family, shapes: Iterable[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and deviation of each channel of the latents of some windows, float32 (channels,)."""
    count = 0
    total = squares = torch.zeros(())
    for window in shapes:
        x = window[None].to(network.device)
        x = x[0].transpose(0, 1) if family.by_frame else x
        latent = network.encode(x).latent_dist.mode().double().cpu().transpose(0, 1).flatten(1)
        count += latent.shape[1]
        total, squares = total + latent.sum(1), squares + latent.square().sum(1)
    if not count:
        raise ConfigError("no clip can be read to measure the latents by")
    mean = total / count
    return mean.float(), (squares / count - mean.square()).clamp(min=1e-12).sqrt().float()
