"""The shipped autoencoder on scenes that its training never saw."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from infra.demo.captioned import draw_captioned
from infra.demo.render import render_shot
from infra.demo.weights import VAE_FOLDER
from pipeline.buckets.assign import bucket_of
from pipeline.buckets.config import BucketConfig
from schemas import PixelShape
from trainer.autoencoder import AutoencoderConfig, find_autoencoder, load
from trainer.vae_train.figures import flicker, psnr_db, ssim

PATCH = (1, 2, 2)
GRID = BucketConfig(vae_stride=(4, 16, 16), patch=PATCH, token_budget=60, max_frame_rate=8, min_side=1).grid()
MIN_PSNR_DB, MIN_SSIM = 22.0, 0.5
"""A little below what is told of it."""
SEEDS = range(31_000_000, 31_000_008)


@pytest.fixture(scope="module")
def model() -> Any:
    return load(find_autoencoder(AutoencoderConfig(model=str(VAE_FOLDER))))


@pytest.fixture(scope="module")
def clips() -> list[torch.Tensor]:
    """Scenes of combinations that are held out, two seconds each, at the size of their bucket of 60 tokens."""
    made = []
    for seed in SEEDS:
        scene, (width, height), _ = draw_captioned(seed, "held_out")
        bucket = bucket_of(width, height, 15, Fraction(2), GRID)
        times_s = [k / 7.5 for k in range(bucket.frames)]
        frames = np.stack(list(render_shot(scene, (bucket.width, bucket.height), times_s)))
        made.append(torch.from_numpy(frames).permute(3, 0, 1, 2).float() / 127.5 - 1)
    return made


def test_it_is_small_and_told_of() -> None:
    assert sum(path.stat().st_size for path in VAE_FOLDER.glob("*.safetensors")) <= 3_000_000
    assert (VAE_FOLDER / "README.md").is_file()


def test_a_clip_of_the_world_is_at_most_60_tokens(model: Any, clips: list[torch.Tensor]) -> None:
    assert (model.stride, model.channels) == ((4, 16, 16), 16)
    tokens = [model.latent_shape(PixelShape(*clip.shape[1:])).num_tokens(PATCH) for clip in clips]
    assert max(tokens) <= 60
    assert max(tokens) > 30


def test_what_comes_back_is_what_went_in(model: Any, clips: list[torch.Tensor]) -> None:
    backs = [model.decode(model.encode(clip)) for clip in clips]
    pairs = list(zip(backs, clips, strict=True))
    assert float(np.mean([psnr_db(back, clip) for back, clip in pairs])) > MIN_PSNR_DB
    assert float(np.mean([ssim(back, clip) for back, clip in pairs])) > MIN_SSIM
    off, true = np.mean([flicker(back, clip) for back, clip in pairs], axis=0)
    assert off < true
    # Nearer to itself than to the middle of all it could be.
    flat = [clip.mean((1, 2, 3), keepdim=True).expand_as(clip) for clip in clips]
    plain = [psnr_db(one, clip) for one, clip in zip(flat, clips, strict=True)]
    assert np.mean([psnr_db(*pair) for pair in pairs]) > np.mean(plain) + 3


def test_latents_have_about_unit_variance(model: Any, clips: list[torch.Tensor]) -> None:
    latents = torch.cat([model.encode(clip).flatten(1) for clip in clips], dim=1)
    assert float(latents.mean().abs()) < 0.3
    assert 0.7 < float(latents.std()) < 1.4
