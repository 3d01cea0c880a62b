"""One sequence over several ranks: each has some of its tokens, and for attention all tokens of some of the heads.

Before attention the ranks trade: a rank gives away its tokens' other heads and gets all tokens of its own; afterwards
they trade back. Samples of a pack therefore lie for attention as they do on one rank.
Source: Jacobs et al. 2023, "DeepSpeed Ulysses", section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed

# l a rank's tokens, L all tokens, N heads, n = N / P heads of a rank, H head width, P ranks


@dataclass(frozen=True, slots=True)
class SequenceGroup:
    """The ranks that share a sequence."""

    group: distributed.ProcessGroup
    rank: int
    """This one's place in it."""
    count: int

    def own(self, rows: torch.Tensor, dim: int = 0) -> torch.Tensor:
        """This rank's part of something that divides evenly: tokens, or heads with `dim` 1."""
        return rows.chunk(self.count, dim)[self.rank]

    def whole(self, own: torch.Tensor) -> torch.Tensor:
        """All parts together, without gradients."""
        parts = [torch.empty_like(own) for _ in range(self.count)]
        distributed.all_gather(parts, own.detach().contiguous(), group=self.group)
        return torch.cat(parts)


def whole(rows: torch.Tensor, sequence: SequenceGroup | None) -> torch.Tensor:
    """All parts of something that has one row a token, without gradients; itself where nothing is shared."""
    return rows.detach() if sequence is None else sequence.whole(rows)


class _Trade(torch.autograd.Function):
    """Part p goes to rank p; in its place comes what that rank had for us."""

    @staticmethod
    def forward(ctx: Any, parts: torch.Tensor, group: distributed.ProcessGroup) -> torch.Tensor:
        """Trade parts (P, …)."""
        ctx.group = group
        return _trade(parts, group)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        """Gradients go back where the numbers came from."""
        return _trade(gradients[0], ctx.group), None


def _trade(parts: torch.Tensor, group: distributed.ProcessGroup) -> torch.Tensor:
    parts = parts.contiguous()
    found = torch.empty_like(parts)
    distributed.all_to_all_single(found, parts, group=group)
    return found


def to_heads(x_lNH: torch.Tensor, sequence: SequenceGroup) -> torch.Tensor:
    """All tokens of this rank's heads, (L, n, H)."""
    length, heads, width = x_lNH.shape
    parts = x_lNH.reshape(length, sequence.count, heads // sequence.count, width).transpose(0, 1)
    traded: torch.Tensor = _Trade.apply(parts, sequence.group)  # type: ignore[no-untyped-call]
    return traded.flatten(0, 1)


def to_tokens(x_LnH: torch.Tensor, sequence: SequenceGroup) -> torch.Tensor:
    """All heads of this rank's tokens, (l, N, H)."""
    parts = x_LnH.reshape(sequence.count, -1, *x_LnH.shape[1:])
    traded: torch.Tensor = _Trade.apply(parts, sequence.group)  # type: ignore[no-untyped-call]
    return traded.transpose(0, 1).flatten(1, 2)


def sequence_group(count: int) -> SequenceGroup | None:
    """The ranks that share this rank's sequences, `count` neighbours; None where each has its own.

    All ranks call it together, and `count` divides their number.
    """
    if count == 1:
        return None
    first = distributed.get_rank() // count * count
    found = None
    for start in range(0, distributed.get_world_size(), count):
        # Every rank must take part in making every group.
        group = distributed.new_group(list(range(start, start + count)))
        if start == first:
            found = SequenceGroup(group, distributed.get_rank() - first, count)
    return found
