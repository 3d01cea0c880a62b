"""Training on packs of native sizes against the same samples padded to the largest, on this machine's cores."""

from __future__ import annotations

import shutil
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from infra.bench.made_shards import Size, make_shards
from infra.bench.table import Figure
from pipeline.shards import ShardStore
from schemas import load_config
from trainer.batch import collate
from trainer.config import TrainConfig
from trainer.data import PackReader
from trainer.distributed import ranks
from trainer.ema import Ema
from trainer.engine import Engine
from trainer.examples import Example
from trainer.flow import token_losses
from trainer.loop import train
from trainer.metrics import StepRecord
from trainer.model.dit import DiT, DiTParams
from trainer.model.grid import TokenGrid
from trainer.prepare import patch_channels, pin
from trainer.steps import Steps

_NUM_SAMPLES = 256
_STEPS = 18
_WARM_STEPS = 3
"""Not counted: the first ones fill caches."""
_PADDED_STEPS = 18
_CONFIG = (
    "model={size: null, depth: 4, width: 256, heads: 4}",
    "packing={token_budget: 3072, packs_per_step: 1}",
    "engine={precision: fp32}",
    "optimizer={warmup_steps: 10}",
    "held_out={num_samples: 0}",
    "data={held_out_ratio: 0}",
    "checkpoint={every_steps: 1000000}",
    f"steps={_STEPS}",
)


def measure(cache: Path) -> list[Figure]:
    """Train the same model natively and padded; tell useful tokens a second of both, and how long packs are waited for.

    Args:
        cache: Where made shards and the run go.
    """
    root, out = cache / "train-shards", cache / "train-run"
    for folder in (root, out):
        shutil.rmtree(folder, ignore_errors=True)
    make_shards(str(root), draw_sizes(_NUM_SAMPLES), channels=16, text_width=64, text_tokens=(20, 120))
    config = load_config(TrainConfig, None, _CONFIG)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    records: list[StepRecord] = []
    train(config, str(root), out, resume=False, report=records.append)
    counted = records[_WARM_STEPS:]
    native = sum(record.tokens for record in counted) / sum(record.elapsed_s for record in counted)
    of_all, of_batch = (_train_padded(config, str(root), to_all=to_all) for to_all in (True, False))
    torch.set_num_threads(before)
    waited = sum(record.data_wait_s for record in counted) / sum(record.elapsed_s for record in counted)
    waste = statistics.fmean(record.waste for record in counted)
    return [
        Figure(name="training on packs: useful tokens", value=native, unit="a second"),
        Figure(name="padded to the largest of all: useful tokens", value=of_all.tokens_a_second, unit="a second"),
        Figure(name="padded to the largest of all: padding", value=100 * of_all.padding_ratio, unit="%"),
        Figure(name="packs over padding to the largest of all", value=native / of_all.tokens_a_second, at_least=1.5),
        Figure(name="padded to the largest of the batch: padding", value=100 * of_batch.padding_ratio, unit="%"),
        Figure(name="packs over padding to the largest of the batch", value=native / of_batch.tokens_a_second),
        Figure(name="training on packs: wait for data", value=100 * waited, unit="%", at_most=2.0),
        Figure(name="training on packs: waste", value=100 * waste, unit="%"),
        Figure(
            name="training on packs: of the cores' peak",
            value=100 * statistics.median(record.mfu for record in counted),
            unit="%",
        ),
    ]


def draw_sizes(count: int, seed: int = 0) -> list[Size]:
    """Latents as native footage gives them: three in ten are pictures, videos of 6 s median and cut off at 5.4 s.

    Wide, tall and square ones have about the same area.
    """
    rng = np.random.default_rng(seed)
    shapes = ((8, 14), (8, 14), (8, 14), (14, 8), (10, 10), (6, 16))
    lengths = np.clip(np.round(9 * np.exp(0.8 * rng.standard_normal(count))), 1, 8).astype(int)
    lengths[rng.random(count) < 0.3] = 1
    picked = rng.integers(len(shapes), size=count)
    return [(int(length), *shapes[kind]) for length, kind in zip(lengths, picked, strict=True)]


@dataclass(frozen=True, slots=True)
class _Padded:
    """Training on padded batches."""

    tokens_a_second: float
    """Useful ones."""
    padding_ratio: float
    """Of the video tokens worked on."""


def _train_padded(config: TrainConfig, root: str, *, to_all: bool) -> _Padded:
    """The same model, engine and samples, all padded to the largest and to the longest text.

    The padding is attended to like any token: an attention that leaves it out is what a pack is.

    Args:
        config: The run's.
        root: The dataset.
        to_all: To the largest there is, so that all batches have one shape; else to the largest of each batch.
    """
    pinned = pin(root, config)
    widths = {"patch_channels": patch_channels(config, pinned), "text_width": pinned.text_width}
    steps = Steps(pinned.rows, config, **widths)
    largest = int(pinned.rows.tokens(config.model.patch).max())
    # Over all batches: those of pictures suffer most from padding, and a median would leave them out.
    done, elapsed_s, useful, worked = 0, 0.0, 0, 0
    torch.manual_seed(0)
    with ranks() as joined, PackReader(ShardStore(root), steps, config, rank=0, num_ranks=1, **widths) as reader:
        params = DiTParams.of(config.model, **widths)
        engine = Engine(DiT(params), config.engine, config.optimizer, width=params.width, num_batches=1, ranks=joined)
        ema = Ema(engine.partitions(), config.ema_decay)
        for number, work in zip(range(_PADDED_STEPS), reader.after(0), strict=False):
            examples = work.batches[0].examples
            most = largest if to_all else max(one.grid.num_tokens for one in examples)
            longest = max(1 if one.text_MT is None else len(one.text_MT) for one in examples)
            batch = collate([_padded(one, most, longest) for one in examples], pinned.text_width)
            useful, worked = useful + sum(one.grid.num_tokens for one in examples), worked + most * len(examples)
            started = time.perf_counter()
            losses = token_losses(engine(batch.packed), batch.clean_LP, batch.noise_LP, batch.time_L1, config.flow)
            engine.backward((losses * batch.weight_L).sum() / batch.num_learnt)
            engine.step(1.0, 1.0)
            ema.update(number)
            if number >= _WARM_STEPS:
                elapsed_s += time.perf_counter() - started
                done += steps.seen(work.plan).num_tokens
    return _Padded(done / elapsed_s, 1 - useful / worked)


def _padded(example: Example, tokens: int, text_tokens: int) -> Example:
    """A sample with as many video and text tokens as the largest has; the added ones are given, so cost no loss."""
    more = tokens - example.grid.num_tokens
    text = example.text_MT if example.text_MT is not None else torch.zeros(1, 64)
    return replace(
        example,
        grid=TokenGrid(1, 1, tokens),
        clean_LP=_longer(example.clean_LP, more),
        noise_LP=_longer(example.noise_LP, more),
        positions_L3=_longer(example.positions_L3, more),
        places_L2=_longer(example.places_L2, more),
        is_given_L=torch.cat((example.is_given_L, torch.ones(more, dtype=torch.bool))),
        text_MT=_longer(text, text_tokens - len(text)),
    )


def _longer(rows: torch.Tensor, more: int) -> torch.Tensor:
    return torch.cat((rows, torch.zeros(more, rows.shape[1])))
