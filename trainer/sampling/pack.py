"""Windows as one pack of tokens, and the velocity that the model gives for it."""

# ruff: noqa: N815 -- the shape of a tensor ends its name

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from trainer.batch import Batch, collate
from trainer.examples import Example
from trainer.flow import velocity_of_clean
from trainer.model.config import ModelConfig
from trainer.model.dit import DiT
from trainer.model.patchify import patchify
from trainer.model.rope import positions, wave_stretches
from trainer.sampling.config import GuidanceConfig
from trainer.sampling.guidance import guide, is_on
from trainer.sampling.layout import Layout
from trainer.sampling.solver import Velocity
from trainer.tasks import Task
from trainer.times import FlowConfig

# L tokens of all samples, P numbers in a patch, M text tokens, T numbers in one, C F H W a latent


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A window as tensors."""

    name: str
    """One in its pack."""
    task: Task
    layout: Layout
    clean_CFHW: torch.Tensor
    """What is given, and what an edit begins with; zeros elsewhere."""
    noise_CFHW: torch.Tensor
    given_L: torch.Tensor
    """bool."""
    text_MT: torch.Tensor | None
    times: tuple[float, ...]
    """From its noisiest to 0."""
    wrap_seed: int | None = None
    """Of the turns of a window whose latent time wraps."""


def example_of(window: Prepared, model: ModelConfig, times_s: Sequence[float]) -> Example:
    """A window at its noisiest, as training would lay it out.

    Args:
        window: To be made.
        model: The transformer's shape.
        times_s: When the last picture of each latent frame is shown.
    """
    grid = window.layout.tokens
    return Example(
        clip_id=window.name,
        task=window.task,
        time=window.times[0],
        grid=grid,
        clean_LP=patchify(window.clean_CFHW, model.patch),
        noise_LP=patchify(window.noise_CFHW, model.patch),
        is_given_L=window.given_L,
        positions_L3=positions(grid, times_s, window.layout.cell_px, model.rope),
        stretches_3=wave_stretches(grid, times_s, window.layout.cell_px, model.rope),
        text_MT=window.text_MT,
    )


class PackVelocity:
    """The guided velocity of a pack: `velocity(x, times)` as a solver asks.

    Args:
        model: The transformer.
        examples: The windows.
        text_width: Numbers in a text token.
        flow: What the model says.
        guidance: How the prompts are made to count.
    """

    def __init__(
        self, model: DiT, examples: Sequence[Example], text_width: int, flow: FlowConfig, guidance: GuidanceConfig
    ) -> None:
        device = next(model.parameters()).device
        self.batch: Batch = collate(examples, text_width).to(device)
        bare = [replace(example, text_MT=None) for example in examples]
        self._bare = collate(bare, text_width).to(device).packed if text_width else None
        self._model, self._flow, self._guidance = model, flow, guidance
        self.made_L = self.batch.weight_L > 0
        self.lengths = self.batch.packed.video.lengths
        self._first_made = _first_made(self.made_L.cpu(), self.lengths)

    def __call__(self, x_LP: torch.Tensor, time_L1: torch.Tensor) -> torch.Tensor:
        """The velocity of each token, (L, P); of given ones it means nothing."""
        times = time_L1[self._first_made, 0]
        told = self._ask(x_LP, time_L1, times, is_bare=False)
        listed = times.tolist()
        if self._bare is None or not any(is_on(self._guidance, time) for time in listed):
            return told
        bare = self._ask(x_LP, time_L1, times, is_bare=True)
        return guide(told, bare, self.made_L, self.lengths, listed, self._guidance)

    def _ask(self, x_LP: torch.Tensor, time_L1: torch.Tensor, times_S: torch.Tensor, *, is_bare: bool) -> torch.Tensor:
        packed = self._bare if is_bare else self.batch.packed
        assert packed is not None
        times_K = torch.cat((times_S.new_zeros(1), times_S))
        said: torch.Tensor = self._model(replace(packed, patches_LP=x_LP, times_K=times_K)).float()
        if self._flow.prediction == "velocity":
            return said
        return velocity_of_clean(x_LP, said, time_L1)


def _first_made(made_L: torch.Tensor, lengths: Sequence[int]) -> list[int]:
    """A token of each sample that is not given."""
    found, start = [], 0
    for length in lengths:
        found.append(start + int(made_L[start : start + length].int().argmax()))
        start += length
    return found


def spread(times: Sequence[Sequence[float]], made_L: torch.Tensor, lengths: Sequence[int]) -> list[torch.Tensor]:
    """The times of a pack's steps for each token, float32 (L, 1); 0 for given ones.

    Args:
        times: Of each sample, as many for each.
        made_L: bool, tokens that are not given.
        lengths: Tokens of each sample.
    """
    counts = torch.tensor(lengths, device=made_L.device)
    steps = torch.tensor(list(times), dtype=torch.float32, device=made_L.device).T
    return [(torch.repeat_interleave(step, counts) * made_L)[:, None] for step in steps]


def turning(velocity: Velocity, frames: Sequence[int], lengths: Sequence[int], seeds: Sequence[int | None]) -> Velocity:
    """A velocity that sees the frames of some samples from another first one each time, so that their time wraps.

    No place in time is then the first or the last, and what the model makes goes on across the end. Source: Bi et al.
    2025, "Mobius: text to seamless looping video generation via latent shift".

    Args:
        velocity: Of a pack.
        frames: Frames of tokens of each sample.
        lengths: Tokens of each sample.
        seeds: Of the turns; None for samples that are not turned.
    """
    if all(seed is None for seed in seeds):
        return velocity
    draws = [None if seed is None else torch.Generator().manual_seed(seed) for seed in seeds]

    def turned(x_LP: torch.Tensor, time_L1: torch.Tensor) -> torch.Tensor:
        turns = [
            0 if draw is None else int(torch.randint(count, (), generator=draw)) * (length // count)
            for draw, count, length in zip(draws, frames, lengths, strict=True)
        ]
        found = velocity(_rolled(x_LP, lengths, turns), time_L1)
        return _rolled(found, lengths, [-turn for turn in turns])

    return turned


def _rolled(x_LP: torch.Tensor, lengths: Sequence[int], turns: Sequence[int]) -> torch.Tensor:
    parts = x_LP.split_with_sizes(list(lengths))
    return torch.cat([part.roll(turn, 0) for part, turn in zip(parts, turns, strict=True)])
