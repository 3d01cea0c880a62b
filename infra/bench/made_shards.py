"""Shards of made latents and texts of many sizes: what a training can be measured on without encoding any footage."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

from pipeline.dataset import Dataset
from pipeline.shards import Placed, Sample, ShardStore
from schemas import digest
from trainer.shard_sets import LATENT_MEMBER, LATENT_TENSOR, TEXT_MEMBER, latent_set_name, text_set_name

STRIDE = (4, 8, 8)
DIGESTS = {"autoencoder_digest": "a" * 32, "preprocess_digest": "b" * 32, "text_encoder_digest": "c" * 32}
LATENT_SET = latent_set_name(DIGESTS["autoencoder_digest"], DIGESTS["preprocess_digest"])
TEXT_SET = text_set_name(LATENT_SET, DIGESTS["text_encoder_digest"], {})

Size = tuple[int, int, int]
"""Frames, height, width of a latent."""


def make_shards(
    root: str,
    sizes: Sequence[Size],
    *,
    channels: int = 4,
    text_width: int = 12,
    text_tokens: tuple[int, int] = (3, 9),
    samples_a_shard: int = 16,
    seed: int = 0,
) -> list[str]:
    """Write a dataset whose table `samples` and shards hold one sample for each size; give the ids of the clips.

    A latent is a smooth pattern whose phase its text tells, so that there is something to learn.

    Args:
        root: The dataset's folder.
        sizes: Of the latents.
        channels: Of the latents.
        text_width: Numbers in a text token.
        text_tokens: Fewest and most tokens of a text.
        samples_a_shard: How many share a tar.
        seed: Of everything.
    """
    dataset = Dataset(root)
    dataset.create()
    dataset.write_description({}, {})
    ids = sorted(digest(["clip", seed, index]) for index in range(len(sizes)))
    store = ShardStore(root)
    for start in range(0, len(ids), samples_a_shard):
        here = list(zip(ids, sizes, strict=True))[start : start + samples_a_shard]
        name = f"{start // samples_a_shard:06d}.tar"
        drawn = [_draw(clip_id, size, channels, text_width, text_tokens) for clip_id, size in here]
        placed = store.write(f"{LATENT_SET}/{name}", [_latent_sample(*one) for one in drawn])
        rows = [_latent_row(one, f"{LATENT_SET}/{name}", place) for one, place in zip(drawn, placed, strict=True)]
        placed = store.write(f"{TEXT_SET}/{name}", [_text_sample(*one) for one in drawn])
        rows += [_text_row(one, f"{TEXT_SET}/{name}", place) for one, place in zip(drawn, placed, strict=True)]
        dataset.manifest.append("samples", rows)
    return ids


_Drawn = tuple[str, torch.Tensor, dict[str, torch.Tensor]]


def _draw(clip_id: str, size: Size, channels: int, text_width: int, text_tokens: tuple[int, int]) -> _Drawn:
    rng = np.random.default_rng(int(clip_id[:8], 16))
    phase = rng.uniform(0, 2 * np.pi, channels)
    frames, rows, columns = np.meshgrid(*(np.arange(side) for side in size), indexing="ij")
    waves = np.stack([np.sin(0.7 * columns + 0.4 * rows + 0.5 * frames + p) for p in phase])
    texts = {}
    for kind in ("dense", "short"):
        length = int(rng.integers(text_tokens[0], text_tokens[1] + 1))
        text = 0.1 * rng.standard_normal((length, text_width))
        text[:, : 2 * channels] += np.concatenate([np.sin(phase), np.cos(phase)])[:text_width]
        texts[kind] = torch.from_numpy(text).half()
    return clip_id, torch.from_numpy(waves * 1.4).half(), texts


def _pixels(latent: torch.Tensor) -> tuple[int, int, int]:
    return 1 + (latent.shape[1] - 1) * STRIDE[0], latent.shape[2] * STRIDE[1], latent.shape[3] * STRIDE[2]


def _latent_sample(clip_id: str, latent: torch.Tensor, texts: dict[str, torch.Tensor]) -> Sample:
    frames, height, width = _pixels(latent)
    about = {
        "clip_id": clip_id,
        "video_id": _video_id(clip_id),
        "bucket": {"frames": frames, "height": height, "width": width},
        "times_s": [float(Fraction(k, 24)) for k in range(frames)],
        "digests": {"autoencoder": DIGESTS["autoencoder_digest"], "preprocess": DIGESTS["preprocess_digest"]},
    }
    return Sample(clip_id, about, {LATENT_MEMBER: save({LATENT_TENSOR: latent})})


def _text_sample(clip_id: str, latent: torch.Tensor, texts: dict[str, torch.Tensor]) -> Sample:
    captions = {kind: {"caption_set": "0", "text": kind, "num_tokens": len(tensor)} for kind, tensor in texts.items()}
    about = {"clip_id": clip_id, "video_id": _video_id(clip_id), "captions": captions}
    return Sample(clip_id, about, {TEXT_MEMBER: save(texts)})


def _video_id(clip_id: str) -> str:
    return digest(["video", clip_id])


def _latent_row(drawn: _Drawn, shard: str, placed: Placed) -> dict[str, Any]:
    clip_id, latent, _ = drawn
    channels, *grid = latent.shape
    return {
        **_placed_row(clip_id, shard, placed),
        **dict(zip(("frames", "height", "width"), _pixels(latent), strict=True)),
        "frame_rate_num": 24,
        "frame_rate_den": 1,
        "latent_channels": channels,
        **dict(zip(("latent_frames", "latent_height", "latent_width"), grid, strict=True)),
        "num_tokens": grid[0] * (grid[1] // 2) * (grid[2] // 2),
        "autoencoder_digest": DIGESTS["autoencoder_digest"],
        "preprocess_digest": DIGESTS["preprocess_digest"],
    }


def _text_row(drawn: _Drawn, shard: str, placed: Placed) -> dict[str, Any]:
    clip_id, _, texts = drawn
    return {
        **_placed_row(clip_id, shard, placed),
        "caption_kinds": list(texts),
        "caption_sets": ["0"] * len(texts),
        "num_text_tokens": [len(text) for text in texts.values()],
        "text_encoder_digest": DIGESTS["text_encoder_digest"],
    }


def _placed_row(clip_id: str, shard: str, placed: Placed) -> dict[str, Any]:
    return {
        "clip_id": clip_id,
        "video_id": _video_id(clip_id),
        "shard_set": shard.partition("/")[0],
        "latent_set": LATENT_SET,
        "shard": shard,
        "sample_key": clip_id,
        "member_names": list(placed.names),
        "member_offsets": list(placed.offsets),
        "member_sizes": list(placed.sizes),
        "sha256": placed.sha256,
    }
