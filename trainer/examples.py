"""One sample made ready for a step: read, checked, noised; a pure function of its row, a seed and an epoch."""

# ruff: noqa: N815 -- the shape of a tensor ends its name

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pipeline.shards import Sample, ShardStore, read_sample
from schemas import ErrorKind, MediaError, digest
from trainer.model.config import ModelConfig
from trainer.model.grid import TokenGrid, token_grid
from trainer.model.patchify import patchify
from trainer.model.places import places
from trainer.model.rope import positions, wave_stretches
from trainer.packing import hashes_of, uniforms
from trainer.sample_rows import SampleRow
from trainer.shard_sets import LATENT_MEMBER, LATENT_TENSOR, TEXT_MEMBER
from trainer.tasks import Task, TasksConfig, draw_given, draw_task
from trainer.times import FlowConfig, draw_time, shift_of

if TYPE_CHECKING:
    from schemas import PixelShape

# L video tokens, M text tokens, P numbers in a patch, T in a text token


@dataclass(frozen=True, slots=True)
class Stored:
    """What the shards hold of a sample."""

    clip_id: str
    latent_CFHW: torch.Tensor
    """float32."""
    times_s: tuple[float, ...]
    """When the last picture of each latent frame is shown, in seconds from the first."""
    text_MT: torch.Tensor | None
    """float32; None for no text."""
    pixels: PixelShape


@dataclass(frozen=True, slots=True)
class Example:
    """A sample at a time on its path, with a task."""

    clip_id: str
    task: Task
    time: float
    """Of what is to be made, in (0, 1)."""
    grid: TokenGrid
    clean_LP: torch.Tensor
    noise_LP: torch.Tensor
    is_given_L: torch.Tensor
    """bool: given, so clean and without loss."""
    positions_L3: torch.Tensor
    stretches_3: torch.Tensor
    places_L2: torch.Tensor
    text_MT: torch.Tensor | None
    """None for no text."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is drawn for a sample."""

    time: float
    task: Task
    seed: int
    """Of noise, and of what the task leaves open."""


def draw_choice(row: SampleRow, grid: TokenGrid, flow: FlowConfig, tasks: TasksConfig, seed: int, epoch: int) -> Choice:
    """Time, task and noise of a sample in an epoch."""
    hashed = hashes_of([row.clip_id])
    place, kind, task = (float(uniforms(hashed, seed, epoch, what)[0]) for what in ("time", "density", "task"))
    return Choice(
        time=draw_time(place, kind, flow, shift_of(flow.shift, grid, row.pixels)),
        task=draw_task(tasks, grid.frames, task),
        seed=int(digest([seed, epoch, row.clip_id])[:15], 16),
    )


def grid_of(row: SampleRow, patch: tuple[int, int, int]) -> TokenGrid:
    """The tokens of a sample."""
    return token_grid(row.latent[1], row.latent[2], row.latent[3], patch)


def make_example(stored: Stored, choice: Choice, model: ModelConfig) -> Example:
    """Noise a sample and tell where its tokens lie."""
    _, frames, height, width = stored.latent_CFHW.shape
    grid = token_grid(frames, height, width, model.patch)
    clean_LP = patchify(stored.latent_CFHW, model.patch)
    noise_LP = torch.randn(clean_LP.shape, generator=torch.Generator().manual_seed(choice.seed))
    given = draw_given(choice.task, grid, np.random.default_rng(choice.seed))
    cell_px = stored.pixels.height / grid.height, stored.pixels.width / grid.width
    return Example(
        clip_id=stored.clip_id,
        task=choice.task,
        time=choice.time,
        grid=grid,
        clean_LP=clean_LP,
        noise_LP=noise_LP,
        is_given_L=torch.from_numpy(given.mask(grid).reshape(-1)),
        positions_L3=positions(grid, stored.times_s, cell_px, model.rope),
        stretches_3=wave_stretches(grid, stored.times_s, cell_px, model.rope),
        places_L2=places(grid),
        text_MT=stored.text_MT,
    )


def read_stored(store: ShardStore, row: SampleRow, kind: str | None, text_width: int) -> Stored:
    """Read a sample and check it against its row.

    Args:
        store: The dataset's shards.
        row: Which sample.
        kind: Of its captions; None for none.
        text_width: Numbers that each of its tokens must have.

    Raises:
        ShardError: A shard is missing, damaged, or not the one that the row means.
        MediaError: What it holds is not what a sample holds, or is not finite.
    """
    with store.open(row.latent_shard) as file:
        sample = read_sample(file, row.latent_place, row.latent_shard)
    latent = _tensor(sample, LATENT_MEMBER, LATENT_TENSOR, row.latent_shard)
    if tuple(latent.shape) != row.latent:
        raise _bad(row.latent_shard, sample, f"a latent of {tuple(latent.shape)}, and the manifest says {row.latent}")
    text = read_text(store, row, kind) if kind is not None else None
    if text is not None and text.shape[1] != text_width:
        raise _bad(row.text_shard, sample, f"a text of {text.shape[1]} numbers a token, and others have {text_width}")
    return Stored(row.clip_id, latent, _latent_times(sample, row), text, row.pixels)


def read_text(store: ShardStore, row: SampleRow, kind: str) -> torch.Tensor:
    """Read a caption of a sample, float32 (M, T).

    Args:
        store: The dataset's shards.
        row: Which sample.
        kind: Of its captions.

    Raises:
        ShardError: Its shard is missing, damaged, or not the one that the row means.
        MediaError: It has no such caption, or one that is not finite.
    """
    with store.open(row.text_shard) as file:
        sample = read_sample(file, row.text_place, row.text_shard)
    text = _tensor(sample, TEXT_MEMBER, kind, row.text_shard)
    if text.ndim != 2 or not text.numel():
        raise _bad(row.text_shard, sample, f"a text of {tuple(text.shape)}")
    return text


def _tensor(sample: Sample, member: str, name: str, shard: str) -> torch.Tensor:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensor = load(sample.members[member])[name]
    except (SafetensorError, KeyError) as error:
        raise _bad(shard, sample, f"no tensor {name!r} in {member}") from error
    if not tensor.is_floating_point() or not bool(tensor.isfinite().all()):
        raise _bad(shard, sample, f"values of {name!r} that are not finite")
    return tensor.float()


def _latent_times(sample: Sample, row: SampleRow) -> tuple[float, ...]:
    """When the last frame of each latent frame is shown: the first stands alone, then each so many share one."""
    times: Any = sample.about.get("times_s")
    frames, latent_frames = row.pixels.frames, row.latent[1]
    if not isinstance(times, Sequence) or len(times) != frames:
        raise _bad(row.latent_shard, sample, f"no time for each of {frames} frames")
    if not all(isinstance(time, int | float) and math.isfinite(time) for time in times):
        raise _bad(row.latent_shard, sample, "times that are no numbers")
    stride = (frames - 1) // max(latent_frames - 1, 1)
    return tuple(float(times[k * stride]) for k in range(latent_frames))


def _bad(shard: str, sample: Sample, what: str) -> MediaError:
    return MediaError(ErrorKind.corrupt, f"{shard}: {sample.key} has {what}")
