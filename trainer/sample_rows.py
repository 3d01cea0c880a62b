"""The samples of a run, pinned when it starts: what each holds, how large it is and where it lies."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.manifest import Manifest
from pipeline.shards import Placed
from schemas import ConfigError, PixelShape, digest
from schemas.caption_mix import CaptionMixConfig, pick_caption_kind
from trainer.packing import Hashes, hashes_of, uniforms
from trainer.shard_sets import SetPair

Ints = npt.NDArray[np.int64]

SAMPLES_FILE = "samples.parquet"
_SHAPE = ("frames", "height", "width", "frame_rate_num", "frame_rate_den")
_LATENT = ("latent_channels", "latent_frames", "latent_height", "latent_width")
_PLACE = ("shard", "member_names", "member_offsets", "member_sizes", "sha256")
_TEXT = ("caption_kinds", "num_text_tokens")
_DIGESTS = ("autoencoder_digest", "preprocess_digest", "text_encoder_digest")


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One sample."""

    clip_id: str
    pixels: PixelShape
    latent: tuple[int, int, int, int]
    """Channels, frames, height, width."""
    latent_shard: str
    latent_place: Placed
    text_shard: str
    text_place: Placed


class SampleRows:
    """Samples in the order of their ids.

    Args:
        table: One row a sample, as `read_rows` gives it.
    """

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.clip_ids: list[str] = table["clip_id"].to_pylist()

    def __len__(self) -> int:
        """How many there are."""
        return len(self.clip_ids)

    @cached_property
    def hashes(self) -> Hashes:
        """64 bits of each id, from which all its draws come."""
        return hashes_of(self.clip_ids)

    @cached_property
    def digest(self) -> str:
        """Of all rows: two runs with the same one read the same."""
        columns = ("latent_sha256", "text_sha256")
        return digest([self.clip_ids, *(self.table[name].to_pylist() for name in columns)])

    def column(self, name: str) -> Ints:
        """A column of integers, int64 (N,)."""
        values: Ints = self.table[name].to_numpy().astype(np.int64)
        return values

    def take(self, indices: npt.NDArray[np.int64]) -> SampleRows:
        """Some of them, in the order of their ids."""
        return SampleRows(self.table.take(pa.array(np.sort(indices))))

    def row(self, index: int) -> SampleRow:
        """One of them."""
        found: dict[str, Any] = self.table.slice(index, 1).to_pylist()[0]
        return SampleRow(
            clip_id=found["clip_id"],
            pixels=PixelShape(found["frames"], found["height"], found["width"]),
            latent=(
                found["latent_channels"],
                found["latent_frames"],
                found["latent_height"],
                found["latent_width"],
            ),
            latent_shard=found["latent_shard"],
            latent_place=_place(found, "latent"),
            text_shard=found["text_shard"],
            text_place=_place(found, "text"),
        )

    def tokens(self, patch: tuple[int, int, int]) -> Ints:
        """Video tokens of each, int64 (N,).

        Raises:
            ConfigError: A latent does not divide into patches.
        """
        total = np.ones(len(self), np.int64)
        for name, step in zip(_LATENT[1:], patch, strict=True):
            sizes = self.column(name)
            bad = np.flatnonzero(sizes % step)
            if len(bad):
                raise ConfigError(
                    f"model.patch: {list(patch)} does not divide the latent of clip {self.clip_ids[int(bad[0])]}, "
                    f"whose {name} is {int(sizes[bad[0]])}; bucket.patch must have been a multiple of it"
                )
            total *= sizes // step
        return total

    def shapes(self) -> Ints:
        """A number for each (frames, height, width), int64 (N,)."""
        shapes = np.stack([self.column(name) for name in _SHAPE[:3]], axis=1)
        found: Ints = np.unique(shapes, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
        return found

    def save(self, path: Path) -> None:
        """Write them whole, or leave what was there."""
        scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        pq.write_table(self.table, scratch, compression="zstd")
        scratch.replace(path)


def _place(row: dict[str, Any], prefix: str) -> Placed:
    names, offsets, sizes = (tuple(row[f"{prefix}_{name}"]) for name in _PLACE[1:4])
    return Placed(row["clip_id"], names, offsets, sizes, row[f"{prefix}_sha256"])


@dataclass(frozen=True, slots=True)
class ReadCaptions:
    """Which caption of each sample an epoch reads."""

    kinds: list[str | None]
    """None for no text."""
    num_tokens: Ints
    """Tokens of each, int64 (N,); one, a learned one, for no text."""


def read_captions(rows: SampleRows, config: CaptionMixConfig, seed: int, epoch: int) -> ReadCaptions:
    """Draw the captions of an epoch; each depends on its clip, the seed and the epoch alone."""
    draws = [uniforms(rows.hashes, seed, epoch, "caption", name).tolist() for name in ("dropped", "source", "length")]
    known, counts = ([each or [] for each in rows.table[name].to_pylist()] for name in _TEXT)
    kinds: list[str | None] = []
    num_tokens = np.ones(len(rows), np.int64)
    for index, (has, tokens, *drawn) in enumerate(zip(known, counts, *draws, strict=True)):
        kind = pick_caption_kind(has, config, (drawn[0], drawn[1], drawn[2]))
        kinds.append(kind)
        if kind is not None:
            num_tokens[index] = max(tokens[has.index(kind)], 1)
    return ReadCaptions(kinds, num_tokens)


def read_rows(manifest: Manifest, pair: SetPair, digests: dict[str, str | None]) -> SampleRows:
    """The samples that a dataset has in a pair of sets.

    Args:
        manifest: The dataset's tables.
        pair: The sets.
        digests: What `autoencoder_digest`, `preprocess_digest` and `text_encoder_digest` must be; anything for None.

    Raises:
        ConfigError: There are none, a clip has no texts, or they were made by something else than the config says.
    """
    import pyarrow.dataset as ds

    columns = ["clip_id", "video_id", *_PLACE]
    latents = manifest.read(
        "samples",
        [*columns, *_SHAPE, *_LATENT, *_DIGESTS[:2]],
        where=ds.field("shard_set") == pair.latent_set,
    ).sort_by("clip_id")
    texts = manifest.read(
        "samples", [*columns[:1], *_PLACE, *_TEXT, _DIGESTS[2]], where=ds.field("shard_set") == pair.text_set
    ).sort_by("clip_id")
    if latents["clip_id"].combine_chunks() != texts["clip_id"].combine_chunks():
        raise ConfigError(
            f"{manifest.root}: sets {pair.latent_set} and {pair.text_set} hold different clips; "
            "`rushes run` writes what is missing"
        )
    if not latents.num_rows:
        raise ConfigError(f"{manifest.root}: set {pair.latent_set} holds no samples")
    for name, source in ((_DIGESTS[0], latents), (_DIGESTS[1], latents), (_DIGESTS[2], texts)):
        _check_digest(manifest.root, name, source[name].unique().to_pylist(), digests[name])
    renamed = latents.rename_columns([f"latent_{name}" if name in _PLACE else name for name in latents.column_names])
    for name in texts.column_names[1:]:
        renamed = renamed.append_column(f"text_{name}" if name in _PLACE else name, texts[name])
    return SampleRows(renamed.combine_chunks())


def load_rows(path: Path) -> SampleRows:
    """The rows that a run pinned.

    Raises:
        ConfigError: The file cannot be read.
    """
    try:
        return SampleRows(pq.read_table(path).combine_chunks())
    except (OSError, pa.ArrowInvalid) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error


def _check_digest(root: str, name: str, found: Sequence[str | None], wanted: str | None) -> None:
    if len(found) != 1:
        raise ConfigError(f"{root}: samples of one set differ in {name}: {', '.join(map(str, found))}")
    if wanted is not None and found[0] != wanted:
        raise ConfigError(f"data.{name}: {wanted}, but the samples of {root} were made with {found[0]}")
