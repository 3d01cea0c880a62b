"""Windows as one pack of tokens, and the velocity that the model gives for it."""

# ruff: noqa: N815 -- the shape of a tensor ends its name

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from trainer.batch import Batch, collate
from trainer.examples import Example
from trainer.flow import velocity_of_said
from trainer.model.config import ModelConfig
from trainer.model.dit import DiT, Packed
from trainer.model.grid import TokenGrid
from trainer.model.patchify import patchify
from trainer.model.places import places
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
        places_L2=places(grid),
        text_MT=window.text_MT,
    )


class PackVelocity:
    """The guided velocity of a pack: `velocity(x, times)` as a solver asks.

    Args:
        model: The transformer.
        examples: The windows.
        text_width: Numbers in a text token.
        flow: What the model says.
        guidance: How prompts and given clips are made to count.
    """

    def __init__(
        self, model: DiT, examples: Sequence[Example], text_width: int, flow: FlowConfig, guidance: GuidanceConfig
    ) -> None:
        device = next(model.parameters()).device
        self.batch: Batch = collate(examples, text_width).to(device)
        self._model, self._flow, self._guidance = model, flow, guidance
        self.made_L = self.batch.weight_L > 0
        self.lengths = self.batch.packed.video.lengths
        self._samples = _made_places(self.made_L.cpu(), self.lengths)
        self._first_made = [int(places[0]) for places in self._samples]
        bare = [replace(example, text_MT=None) for example in self.batch.examples]
        is_given = guidance.image != 1 and not bool(self.made_L.all())
        # With weights of 1 the model's own word is what counts.
        is_asked = text_width > 0 and (guidance.text != 1 or is_given)
        self._bare = collate(bare, text_width).to(device).packed if is_asked else None
        self._alone = _Alone.of(bare, self._samples, text_width, device) if is_given else None

    def __call__(self, x_LP: torch.Tensor, time_L1: torch.Tensor) -> torch.Tensor:
        """The velocity of each token, (L, P); of given ones it means nothing."""
        times_S = time_L1[self._first_made, 0]
        told = self._ask(self.batch.packed, x_LP, times_S, time_L1)
        listed = times_S.tolist()
        if (self._bare is None and self._alone is None) or not any(is_on(self._guidance, time) for time in listed):
            return told
        bare = told if self._bare is None else self._ask(self._bare, x_LP, times_S, time_L1)
        alone = None
        if self._alone is not None:
            alone, places, samples = bare.clone(), self._alone.places_L, self._alone.samples_S
            alone[places] = self._ask(self._alone.packed, x_LP[places], times_S[samples], time_L1[places])
        return guide(told, bare, alone, self._samples, listed, self._guidance)

    def _ask(self, packed: Packed, x_LP: torch.Tensor, times_S: torch.Tensor, time_L1: torch.Tensor) -> torch.Tensor:
        times_K = torch.cat((times_S.new_zeros(1), times_S))
        said: torch.Tensor = self._model(replace(packed, patches_LP=x_LP, times_K=times_K)).float()
        return velocity_of_said(x_LP, said, time_L1, self._flow)


@dataclass(frozen=True, slots=True)
class _Alone:
    """A pack without what is given of its samples.

    Where tokens lie only counts between them, so what is left is a pack like any other.
    """

    packed: Packed
    places_L: torch.Tensor
    """Of its tokens, in the whole pack."""
    samples_S: torch.Tensor
    """Of its samples, in the whole pack."""

    @classmethod
    def of(
        cls, examples: Sequence[Example], samples: Sequence[torch.Tensor], text_width: int, device: torch.device
    ) -> _Alone:
        """What is made of those examples of which something is given.

        Args:
            examples: In the order of the whole pack.
            samples: Places of the made tokens of each.
            text_width: Numbers in a text token.
            device: Where to.
        """
        taken = {
            example.clip_id: (_made_part(example), number)
            for number, example in enumerate(examples)
            if bool(example.is_given_L.any())
        }
        batch = collate([part for part, _ in taken.values()], text_width).to(device)
        numbers = [taken[example.clip_id][1] for example in batch.examples]
        places = torch.cat([samples[number] for number in numbers])
        return cls(batch.packed, places.to(device), torch.tensor(numbers, device=device))


def _made_part(example: Example) -> Example:
    """An example without what is given of it."""
    made_L = ~example.is_given_L
    return replace(
        example,
        grid=TokenGrid(1, 1, int(made_L.sum())),
        clean_LP=example.clean_LP[made_L],
        noise_LP=example.noise_LP[made_L],
        is_given_L=example.is_given_L[made_L],
        positions_L3=example.positions_L3[made_L],
        places_L2=example.places_L2[made_L],
    )


def _made_places(made_L: torch.Tensor, lengths: Sequence[int]) -> list[torch.Tensor]:
    """Of each sample, the places of its tokens that are not given."""
    starts = itertools.accumulate(lengths, initial=0)
    return [
        start + made_L[start : start + length].nonzero()[:, 0] for start, length in zip(starts, lengths, strict=False)
    ]


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
