"""What must be right before a run starts: which samples it has, and that none of them would be lost silently."""

from __future__ import annotations

import numpy as np

from pipeline.manifest import Manifest
from pipeline.shards import ShardError, ShardStore
from schemas import ConfigError, MediaError
from trainer.config import TrainConfig
from trainer.packing import hashes_of, uniforms
from trainer.packing.best_fit import Ints
from trainer.run_folder import Pinned
from trainer.sample_rows import SampleRows, read_rows
from trainer.shard_sets import find_pair

_MOST_TRIED = 16
"""Samples that are tried for the width of their texts before the dataset counts as damaged."""


def pin(dataset: str, config: TrainConfig) -> Pinned:
    """The samples of a dataset as they are now.

    Raises:
        ConfigError: There are none, or they are not what the config asks for.
    """
    manifest = Manifest(dataset)
    pair = find_pair(manifest, config.data.text_set)
    wanted = {
        "autoencoder_digest": config.data.autoencoder_digest,
        "preprocess_digest": config.data.preprocess_digest,
        "text_encoder_digest": config.data.text_encoder_digest,
    }
    rows = read_rows(manifest, pair, wanted)
    channels = np.unique(rows.column("latent_channels"))
    if len(channels) != 1:
        raise ConfigError(f"{dataset}: latents of one set have {', '.join(map(str, channels))} channels")
    return Pinned(
        dataset=manifest.root,
        latent_set=pair.latent_set,
        text_set=pair.text_set,
        digests={name: str(rows.table[name][0].as_py()) for name in wanted},
        latent_channels=int(channels[0]),
        text_width=_text_width(ShardStore(manifest.root), rows),
        rows=rows,
    )


def _text_width(store: ShardStore, rows: SampleRows) -> int:
    """Numbers in a token of the text encoder; 0 where no sample has a text."""
    from trainer.examples import read_text

    tried = 0
    problem: Exception | None = None
    for index, kinds in enumerate(rows.table["caption_kinds"].to_pylist()):
        if kinds:
            try:
                return int(read_text(store, rows.row(index), kinds[0]).shape[1])
            except (ShardError, MediaError) as error:
                problem, tried = error, tried + 1
                if tried == _MOST_TRIED:
                    break
    if problem is not None:
        raise ConfigError(f"{tried} samples were tried and none can be read: {problem}") from problem
    return 0


def split(rows: SampleRows, config: TrainConfig) -> tuple[SampleRows, SampleRows]:
    """Samples to train on, and those of the videos held out; a video is on one side whatever else there is."""
    draws = uniforms(hashes_of(rows.table["video_id"].to_pylist()), config.seed, "held_out")
    is_held = draws < config.data.held_out_ratio
    return rows.take(np.flatnonzero(~is_held)), rows.take(np.flatnonzero(is_held))


def patch_channels(config: TrainConfig, pinned: Pinned) -> int:
    """Numbers in a patch of the latent."""
    return pinned.latent_channels * int(np.prod(config.model.patch))


def check_fit(rows: SampleRows, config: TrainConfig, num_ranks: int, *, reads_text: bool) -> None:
    """Refuse a run that would lose samples, or time, without saying so.

    Args:
        rows: The samples that are trained on.
        config: The run's.
        num_ranks: Ranks it starts with.
        reads_text: Whether the model reads text, which then counts.

    Raises:
        ConfigError: A sample is larger than a pack, there are fewer samples than packs of a step, fewer packs than
            ranks, a batch cannot fit, or a bucket is empty or missing.
    """
    packing, together = config.packing, config.engine.sequence_ranks
    if num_ranks % together:
        raise ConfigError(f"engine.sequence_ranks: {together} ranks to a sequence do not divide {num_ranks} ranks")
    num_ranks //= together
    if packing.packs_per_step < num_ranks:
        raise ConfigError(
            f"packing.packs_per_step: {packing.packs_per_step} packs leave {num_ranks - packing.packs_per_step} of "
            f"{num_ranks} ranks without work"
        )
    if len(rows) < packing.packs_per_step:
        raise ConfigError(
            f"packing.packs_per_step: {packing.packs_per_step} packs of a step are more than the {len(rows)} samples "
            "there are to train on"
        )
    sizes = rows.tokens(config.model.patch) + (largest_texts(rows) if reads_text else 0)
    largest = int(np.argmax(sizes))
    if int(sizes[largest]) > packing.token_budget:
        over = int((sizes > packing.token_budget).sum())
        raise ConfigError(
            f"packing.token_budget: {over} of {len(rows)} samples are larger than {packing.token_budget} tokens and "
            f"would never be seen; the largest, {rows.clip_ids[largest]}, has {int(sizes[largest])} with its text"
        )
    if packing.buckets is not None:
        _check_buckets(rows, packing.buckets)
    if packing.batch_size is not None:
        _check_batches(rows, sizes, packing.batch_size, packing.token_budget)


def largest_texts(rows: SampleRows) -> Ints:
    """Tokens of the longest caption of each sample, int64 (N,); one, a learned one, where there is none."""
    return np.array([max([1, *(counts or ())]) for counts in rows.table["num_text_tokens"].to_pylist()], np.int64)


def _check_buckets(rows: SampleRows, buckets: tuple[tuple[int, int, int], ...]) -> None:
    there = set(zip(*(rows.column(name).tolist() for name in ("frames", "height", "width")), strict=True))
    if empty := sorted(set(buckets) - there):
        raise ConfigError(f"packing.buckets: no sample is {_size(empty[0])}; {len(empty)} of {len(buckets)} are empty")
    if missing := sorted(there - set(buckets)):
        raise ConfigError(
            f"packing.buckets: there are samples of {_size(missing[0])} and it is not among them; "
            f"{len(missing)} sizes would never be seen"
        )


def _check_batches(rows: SampleRows, sizes: Ints, batch_size: int, budget: int) -> None:
    shapes = rows.shapes()
    for shape in np.unique(shapes):
        members = np.flatnonzero(shapes == shape)
        heaviest = int(np.sort(sizes[members])[-batch_size:].sum())
        if heaviest > budget:
            first = rows.row(int(members[0])).pixels
            raise ConfigError(
                f"packing.batch_size: {batch_size} samples of {_size(first)} can have {heaviest} tokens, more than "
                f"packing.token_budget, {budget}"
            )


def _size(size: tuple[int, int, int]) -> str:
    return f"{size[0]} frames of {size[1]}x{size[2]}"
