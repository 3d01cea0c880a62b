"""Samples of a pack as the tensors that the model and the loss read."""

# ruff: noqa: N815 -- the shape of a tensor ends its name

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch

from trainer.examples import Example
from trainer.flow import noised
from trainer.model.attention import Segments
from trainer.model.dit import Packed
from trainer.model.grid import TokenGrid
from trainer.model.ulysses import SequenceGroup
from trainer.tasks import Task

# L video tokens and M text tokens of all samples, P numbers in a patch, T in a text token


@dataclass(frozen=True, slots=True)
class Batch:
    """A pack."""

    packed: Packed
    clean_LP: torch.Tensor
    noise_LP: torch.Tensor
    time_L1: torch.Tensor
    """Of each token; 0 for given ones."""
    weight_L: torch.Tensor
    """float32: 1 for tokens that are to be made, 0 for given ones."""
    examples: tuple[Example, ...]
    """What lies in it, in order."""

    @property
    def num_learnt(self) -> int:
        """Tokens on which a loss is taken."""
        return int(self.weight_L.sum())

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        packed = replace(self.packed, **_moved(self.packed, device))
        return replace(self, packed=packed, **_moved(self, device))

    def own(self, sequence: SequenceGroup | None) -> Batch:
        """The tokens of this rank, where several share the sequence; text stays whole."""
        if sequence is None:
            return self
        packed, own = self.packed, sequence.own
        shared = replace(
            packed,
            patches_LP=own(packed.patches_LP),
            time_index_L=own(packed.time_index_L),
            positions_L3=None if packed.positions_L3 is None else own(packed.positions_L3),
            stretches_L3=None if packed.stretches_L3 is None else own(packed.stretches_L3),
            places_L2=None if packed.places_L2 is None else own(packed.places_L2),
            video=replace(packed.video, across=sequence),
        )
        return replace(
            self,
            packed=shared,
            clean_LP=own(self.clean_LP),
            noise_LP=own(self.noise_LP),
            time_L1=own(self.time_L1),
            weight_L=own(self.weight_L),
        )


def _moved(record: Any, device: torch.device) -> dict[str, Any]:
    moved: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, torch.Tensor):
            moved[field.name] = value.to(device, non_blocking=True)
        elif isinstance(value, Segments):
            moved[field.name] = replace(value, starts_S=value.starts_S.to(device, non_blocking=True))
    return moved


def collate(examples: Sequence[Example], text_width: int, multiple: int = 1) -> Batch:
    """Lay samples one behind the other, those of equal length beside each other.

    Args:
        examples: At least one.
        text_width: Numbers in a text token; 0 for a model that reads no text.
        multiple: Of which the number of tokens must be one; a few that teach nothing make up for what lacks.
    """
    laid = sorted(examples, key=lambda example: (example.grid.num_tokens, example.clip_id))
    lacking = -sum(example.grid.num_tokens for example in laid) % multiple
    ordered = [*laid, _nothing(lacking, laid[0].clean_LP.shape[1])] if lacking else laid
    lengths = [example.grid.num_tokens for example in ordered]
    clean_LP = torch.cat([example.clean_LP for example in ordered])
    noise_LP = torch.cat([example.noise_LP for example in ordered])
    is_given_L = torch.cat([example.is_given_L for example in ordered])
    times_K = torch.tensor([0.0, *(example.time for example in ordered)])
    sample_L = torch.repeat_interleave(torch.arange(1, len(ordered) + 1), torch.tensor(lengths))
    time_index_L = torch.where(is_given_L, 0, sample_L)
    time_L1 = times_K[time_index_L][:, None]
    packed = Packed(
        patches_LP=noised(clean_LP, noise_LP, time_L1),
        times_K=times_K,
        time_index_L=time_index_L,
        video=Segments.of(lengths),
        positions_L3=torch.cat([example.positions_L3 for example in ordered]),
        stretches_L3=torch.stack([example.stretches_3 for example in ordered])[sample_L - 1],
        places_L2=torch.cat([example.places_L2 for example in ordered]),
        **(_texts(ordered, text_width) if text_width else {}),
    )
    return Batch(packed, clean_LP, noise_LP, time_L1, (~is_given_L).float(), tuple(laid))


def _texts(examples: Sequence[Example], text_width: int) -> dict[str, Any]:
    nothing = torch.zeros(1, text_width)
    texts = [nothing if example.text_MT is None else example.text_MT for example in examples]
    lengths = [len(text) for text in texts]
    is_nothing = torch.tensor([example.text_MT is None for example in examples])
    sample_M = torch.repeat_interleave(torch.arange(len(examples)), torch.tensor(lengths))
    return {
        "text_MT": torch.cat(texts),
        "is_nothing_M": is_nothing[sample_M],
        "text": Segments.of(lengths),
        "text_time_index_M": sample_M + 1,
    }


def idle_batch(patch_channels: int, text_width: int, num_tokens: int = 1) -> Batch:
    """Tokens on which nothing is learnt: what a rank without a pack works on, so that all take the same steps."""
    return replace(collate([_nothing(num_tokens, patch_channels)], text_width), examples=())


def _nothing(num_tokens: int, patch_channels: int) -> Example:
    nothing = torch.zeros(num_tokens, patch_channels)
    return Example(
        clip_id="",
        task=Task.text,
        time=1.0,
        grid=TokenGrid(1, 1, num_tokens),
        clean_LP=nothing,
        noise_LP=nothing,
        is_given_L=torch.ones(num_tokens, dtype=torch.bool),
        positions_L3=torch.zeros(num_tokens, 3),
        stretches_3=torch.ones(3),
        places_L2=torch.zeros(num_tokens, 2),
        text_MT=None,
    )
