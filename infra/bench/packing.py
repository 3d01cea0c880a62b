"""Packs of native sizes against what others do: how much is padding, cropping and waiting."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infra.bench.table import Figure
from schemas import digest
from trainer.model.config import ModelConfig
from trainer.model.flops import forward_flops
from trainer.packing import Loads, PackingConfig, hashes_of, plan_epoch, plan_figures
from trainer.packing.best_fit import Ints

NUM_SAMPLES = 20_000
_BUDGET = 32_768
_AREA_PX = 256**2
_MAX_FRAMES = 129
_RATE = 24
_CELL_PX, _STRIDE_T = 16, 4
_SIZES = (
    (1920, 1080, 0.55),
    (1280, 720, 0.15),
    (1080, 1920, 0.15),
    (1920, 804, 0.05),
    (1440, 1080, 0.04),
    (1080, 1080, 0.03),
    (2160, 3840, 0.03),
)
"""Width, height and share: mostly full HD, some 720p and portrait, the rest scope, 4:3, square and 4K portrait."""
_IMAGE_RATIO = 0.3
_MEDIAN_S, _SPREAD = 6.0, 0.8
"""Of the lengths of videos, log-normal."""
_TEXT = (120.0, 0.6, 512)
"""Median, spread and most of the tokens of a caption, log-normal."""
_BATCH = 8
"""Samples of a random, padded batch."""


@dataclass(frozen=True, slots=True)
class Mix:
    """Samples drawn from the mix."""

    loads: Loads
    area: npt.NDArray[np.float64]
    """Of the source, in pixels."""
    square: npt.NDArray[np.float64]
    """Of its largest square."""


def draw_mix(count: int, seed: int = 0) -> Mix:
    """Draw samples and plan what a model of size XL has to do with each.

    Args:
        count: How many.
        seed: Gives the same ones every time.
    """
    rng = np.random.default_rng(seed)
    kind = rng.choice(len(_SIZES), count, p=[share for *_, share in _SIZES])
    width, height = (np.array([size[side] for size in _SIZES])[kind] for side in (0, 1))
    length_s = np.exp(np.log(_MEDIAN_S) + _SPREAD * rng.standard_normal(count))
    frames = np.clip(np.round(length_s * _RATE), 1, _MAX_FRAMES).astype(np.int64)
    frames[rng.random(count) < _IMAGE_RATIO] = 1
    scale = np.minimum(1, np.sqrt(_AREA_PX / (width * height)))
    rows, columns = (np.maximum(side * scale // _CELL_PX, 1).astype(np.int64) for side in (height, width))
    tokens = (1 + (frames - 1) // _STRIDE_T) * rows * columns
    median, spread, most = _TEXT
    drawn = np.exp(np.log(median) + spread * rng.standard_normal(count))
    text = np.clip(drawn, 1, most).astype(np.int64)
    costs = forward_flops(ModelConfig(size="XL"), tokens, text, patch_channels=64, text_width=4096)
    shapes = np.unique(np.stack((frames, rows, columns)), axis=1, return_inverse=True)[1].reshape(-1)
    loads = Loads(hashes_of([digest([seed, k]) for k in range(count)]), tokens, text, costs, shapes.astype(np.int64))
    return Mix(loads, (width * height).astype(np.float64), np.minimum(width, height).astype(np.float64) ** 2)


def measure() -> list[Figure]:
    """All figures of the mix."""
    mix = draw_mix(NUM_SAMPLES)
    loads = mix.loads
    figures = [
        Figure(name="square crop: source area lost", value=_percent(1 - mix.square.sum() / mix.area.sum()), unit="%"),
        Figure(
            name=f"random batches of {_BATCH}, padded: padding", value=_percent(padded_ratio(loads.tokens)), unit="%"
        ),
        *_planned("buckets", loads, PackingConfig(mode="bucket", token_budget=_BUDGET), 8),
    ]
    for num_ranks in (8, 64):
        for buffer, limit in ((1024, 1.2), (0, 1.0)):
            config = PackingConfig(token_budget=_BUDGET, packs_per_step=num_ranks, buffer=buffer)
            seen = f"a buffer of {buffer:,}" if buffer else "the whole epoch"
            figures += _planned(f"packs from {seen}", loads, config, num_ranks, limit)
    many = draw_mix(5 * NUM_SAMPLES, seed=1).loads
    started = time.perf_counter()
    plan_epoch(many, PackingConfig(token_budget=_BUDGET), seed=0, epoch=0)
    planned_s = time.perf_counter() - started
    return [*figures, Figure(name=f"planning {5 * NUM_SAMPLES:,} samples", value=planned_s, unit="s", at_most=1.0)]


def _planned(
    name: str, loads: Loads, config: PackingConfig, num_ranks: int, most_padding: float | None = None
) -> list[Figure]:
    config = config.model_copy(update={"packs_per_step": num_ranks})
    found = plan_figures(plan_epoch(loads, config, seed=0, epoch=0), loads, config.token_budget, num_ranks)
    busy = None if most_padding is None else 0.97
    where = f"{name}, {num_ranks} ranks"
    note = f"{found.num_steps} steps, {found.last_step_samples} samples in the last"
    return [
        Figure(
            name=f"{where}: padding",
            value=_percent(found.padding_ratio),
            unit="%",
            at_most=most_padding,
            note=note,
        ),
        Figure(name=f"{where}: ranks busy", value=found.busy_ratio, at_least=busy),
    ]


def padded_ratio(tokens: Ints, seed: int = 0) -> float:
    """Share of padding where random batches are padded to their longest sample."""
    shuffled = np.random.default_rng(seed).permutation(tokens)
    batches = shuffled[: len(shuffled) // _BATCH * _BATCH].reshape(-1, _BATCH)
    return float(1 - batches.sum() / (batches.max(1).sum() * _BATCH))


def _percent(ratio: float) -> float:
    return 100 * float(ratio)
