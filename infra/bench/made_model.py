"""A small model made by three steps of training, with autoencoders of random weights, on which sampling is measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.bench.made_shards import make_shards
from infra.demo.weights import CLIP_WEIGHTS
from trainer.autoencoder import AutoencoderConfig, find_autoencoder
from trainer.config import TrainConfig
from trainer.text_encoder import TextEncoderConfig, find_text_encoder

_VIDEO_ENCODER: dict[str, Any] = {
    "_class": "AutoencoderKLWan",
    "base_dim": 8,
    "dim_mult": [1, 1, 2, 2],
    "num_res_blocks": 1,
    "z_dim": 4,
    "latents_mean": [0.0, 0.1, -0.1, 0.0],
    "latents_std": [0.5, 0.5, 0.5, 0.5],
}
"""Takes four frames as one."""
_PICTURE_ENCODER: dict[str, Any] = {
    "_class": "AutoencoderKL",
    "block_out_channels": [8, 8, 8, 8],
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}
"""Sees each frame alone."""
_THREE_STEPS: dict[str, Any] = {
    "steps": 3,
    "model": {"size": "tiny", "depth": 2, "width": 32, "heads": 2},
    "packing": {"token_budget": 128, "packs_per_step": 2},
    "engine": {"precision": "fp32", "threads": 1},
    "held_out": {"num_samples": 0},
    # High, so that the outputs, which begin at 0, mean something after three steps.
    "optimizer": {"warmup_steps": 0, "learning_rate": 0.03},
    "ema_decay": 0,
}


def make_model(folder: Path, model: Mapping[str, Any] = _THREE_STEPS["model"]) -> None:
    """Write the autoencoders `video` and `pictures`, and for each a model, `model-video` and `model-pictures`.

    Args:
        folder: Where to.
        model: The transformer, as `TrainConfig.model`.
    """
    import pipeline.media.torchvision_cpu  # noqa: F401  # isort: skip
    import diffusers
    import torch

    from trainer.loop import train

    shards = str(folder / "shards")
    make_shards(shards, [(1, 4, 4), (2, 4, 6), (3, 4, 4), (2, 6, 4)] * 4, text_width=128)
    config = TrainConfig.model_validate({**_THREE_STEPS, "model": dict(model)})
    train(config, shards, folder / "run", resume=False, report=lambda step: None)
    for name, encoder in (("video", _VIDEO_ENCODER), ("pictures", _PICTURE_ENCODER)):
        values = dict(encoder)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = getattr(diffusers, values.pop("_class"))(**values)
        network.save_pretrained(folder / name)
        # Made latents stand for those of the autoencoder and the text encoder.
        there = folder / f"model-{name}" / "transformer"
        there.mkdir(parents=True)
        for path in (folder / "run" / "model" / "transformer").iterdir():
            (there / path.name).write_bytes(path.read_bytes())
        about = json.loads((there / "config.json").read_text())
        (there / "config.json").write_text(json.dumps({**about, "digests": _digests_of(folder / name)}))


def _digests_of(autoencoder: Path) -> dict[str, str]:
    text = TextEncoderConfig(model=str(CLIP_WEIGHTS.parent))
    return {
        "autoencoder_digest": find_autoencoder(AutoencoderConfig(model=str(autoencoder))).digest,
        "preprocess_digest": "b" * 32,
        "text_encoder_digest": find_text_encoder(text).digest,
    }
