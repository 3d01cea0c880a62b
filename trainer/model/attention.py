"""Attention inside the samples of a pack, and never from one to another."""

# ruff: noqa: N815 -- the shape of a tensor ends its name

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from torch.nn.utils.rnn import pad_sequence

from trainer.model.rope import rotate
from trainer.model.ulysses import SequenceGroup, to_heads, to_tokens

_MOST_BY_PRODUCTS = 1024
"""Queries of a sample up to which plain products are the faster way, where they are."""
_MOST_IN_FP32 = 256
"""Queries up to which they are in fp32: half precision would have a kernel made for every size that comes by."""

# L query tokens, M key tokens, N heads, H head width, D width, S samples, E = H / 2


@dataclass(frozen=True, slots=True)
class Segments:
    """How the samples of a pack lie in one sequence, one behind the other."""

    lengths: tuple[int, ...]
    """Tokens of each sample."""
    starts_S: torch.Tensor
    """int32 (S + 1,): where each begins, and the end of the last."""
    across: SequenceGroup | None = None
    """Ranks that share the tokens evenly; None where all are here."""

    @classmethod
    def of(cls, lengths: Sequence[int], device: torch.device | str = "cpu") -> Segments:
        """Segments of these lengths."""
        starts = torch.zeros(len(lengths) + 1, dtype=torch.int32)
        starts[1:] = torch.tensor(lengths, dtype=torch.int32).cumsum(0)
        return cls(tuple(lengths), starts.to(device))


@torch.compiler.disable  # type: ignore[untyped-decorator]
def attend(
    q_LNH: torch.Tensor,
    k_MNH: torch.Tensor,
    v_MNH: torch.Tensor,
    queries: Segments,
    keys: Segments,
) -> torch.Tensor:
    """Attention of each sample's queries over its own keys, (L, N, H).

    Where queries lie on several ranks, so do keys that lie as they do; other keys, those of text, are on each rank.
    It is left out of compiled blocks, which would otherwise be compiled again for every set of lengths.
    On CUDA in half precision one kernel does all of it; elsewhere samples are done one by one, neighbours with equally
    many queries together, since no such kernel exists there.

    Args:
        q_LNH: Queries of all samples.
        k_MNH: Keys of all samples.
        v_MNH: Values of all samples.
        queries: Where each sample's queries lie.
        keys: Where each sample's keys lie; as many samples, each with at least one.
    """
    if queries.across is not None:
        trade, across = to_heads if keys is queries else _own_heads, queries.across
        k_MNH, v_MNH = trade(k_MNH, across), trade(v_MNH, across)
        return to_tokens(_attend_here(to_heads(q_LNH, across), k_MNH, v_MNH, queries, keys), across)
    return _attend_here(q_LNH, k_MNH, v_MNH, queries, keys)


def _own_heads(x_MNH: torch.Tensor, across: SequenceGroup) -> torch.Tensor:
    return across.own(x_MNH, dim=1)


def _attend_here(
    q_LNH: torch.Tensor,
    k_MNH: torch.Tensor,
    v_MNH: torch.Tensor,
    queries: Segments,
    keys: Segments,
) -> torch.Tensor:
    if q_LNH.is_cuda and q_LNH.dtype in (torch.bfloat16, torch.float16):
        from torch.nn.attention.varlen import varlen_attn

        longest = max(queries.lengths), max(keys.lengths)
        found = varlen_attn(q_LNH, k_MNH, v_MNH, queries.starts_S, keys.starts_S, *longest)
        assert isinstance(found, torch.Tensor)
        return found
    return _attend_one_by_one(q_LNH, k_MNH, v_MNH, queries.lengths, keys.lengths)


def _attend_one_by_one(
    q_LNH: torch.Tensor,
    k_MNH: torch.Tensor,
    v_MNH: torch.Tensor,
    queries: tuple[int, ...],
    keys: tuple[int, ...],
) -> torch.Tensor:
    # Split and not sliced: the gradients of slices are as many tensors as large as the whole pack.
    runs = [(length, sum(1 for _ in run)) for length, run in groupby(queries)]
    q_runs = torch.split(q_LNH, [length * count for length, count in runs])
    keys_of_runs = [
        keys[end - count : end] for (_, count), end in zip(runs, accumulate(n for _, n in runs), strict=True)
    ]
    num_keys = [sum(lengths) for lengths in keys_of_runs]
    found = []
    for q, k, v, of_run in zip(
        q_runs, torch.split(k_MNH, num_keys), torch.split(v_MNH, num_keys), keys_of_runs, strict=True
    ):
        q_SNLH = q.reshape(len(of_run), -1, *q.shape[1:]).transpose(1, 2)
        k_SNMH, v_SNMH = (_side_by_side(x, of_run).transpose(1, 2) for x in (k, v))
        attended = _attention_of(q_SNLH)(q_SNLH, k_SNMH, v_SNMH, _is_key(of_run, q.device))
        found.append(attended.transpose(1, 2).flatten(0, 1))
    return torch.cat(found)


def _side_by_side(x_MNH: torch.Tensor, lengths: tuple[int, ...]) -> torch.Tensor:
    """Samples that lie one behind the other, each filled up to the longest, (S, M, N, H)."""
    if len(set(lengths)) == 1:
        return x_MNH.reshape(len(lengths), -1, *x_MNH.shape[1:])
    return pad_sequence(list(torch.split(x_MNH, list(lengths))), batch_first=True)


def _is_key(lengths: tuple[int, ...], device: torch.device) -> torch.Tensor | None:
    """Which keys of `_side_by_side` are none that fill up, bool (S, 1, 1, M); None where all are."""
    if len(set(lengths)) == 1:
        return None
    places = torch.arange(max(lengths), device=device)
    return (places < torch.tensor(lengths, device=device)[:, None])[:, None, None]


_Attention = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]


def _attention_of(q: torch.Tensor) -> _Attention:
    """What computes attention fastest for queries like these: torch's kernel, or plain products.

    On a CPU torch's kernel in half precision first packs all keys anew for each head, forward and back: up to a
    thousand tokens plain products are 1.5 to 4 times as fast.
    """
    is_half = q.dtype in (torch.bfloat16, torch.float16)
    return _products if q.device.type == "cpu" and is_half and q.shape[2] <= _MOST_BY_PRODUCTS else _kernel


def _kernel(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, is_key: torch.Tensor | None) -> torch.Tensor:
    return scaled_dot_product_attention(q, k, v, attn_mask=is_key)


def _products(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, is_key: torch.Tensor | None) -> torch.Tensor:
    dtype = q.dtype
    if q.shape[2] <= _MOST_IN_FP32:
        q, k, v = q.float(), k.float(), v.float()
    logits = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if is_key is not None:
        logits = logits.masked_fill(~is_key, -torch.inf)
    return (torch.softmax(logits, -1) @ v).to(dtype)


class SelfAttention(nn.Module):
    """Each sample's tokens look at each other.

    Args:
        width: D.
        heads: N.
        qk_norm: Whether queries and keys are brought to one length.
    """

    def __init__(self, width: int, heads: int, *, qk_norm: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.norm_q, self.norm_k = _head_norms(width // heads, qk_norm)
        self.out = nn.Linear(width, width)

    def forward(
        self,
        x_LD: torch.Tensor,
        rotation: tuple[torch.Tensor, torch.Tensor] | None,
        segments: Segments,
    ) -> torch.Tensor:
        """Attend, (L, D); `rotation` holds cosine and sine of each token's angles, (L, E) each."""
        q, k, v = self.qkv(x_LD).unflatten(-1, (3, self.heads, -1)).unbind(1)
        q, k = self.norm_q(q), self.norm_k(k)
        if rotation is not None:
            q, k = rotate(q, *rotation), rotate(k, *rotation)
        found: torch.Tensor = self.out(attend(q, k, v, segments, segments).flatten(1))
        return found


class CrossAttention(nn.Module):
    """Each sample's video tokens look at its text.

    Args:
        width: D.
        heads: N.
        qk_norm: Whether queries and keys are brought to one length.
    """

    def __init__(self, width: int, heads: int, *, qk_norm: bool) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.norm_q, self.norm_k = _head_norms(width // heads, qk_norm)
        self.out = nn.Linear(width, width)

    def forward(
        self,
        x_LD: torch.Tensor,
        text_MD: torch.Tensor,
        video: Segments,
        text: Segments,
    ) -> torch.Tensor:
        """Attend, (L, D)."""
        q = self.norm_q(self.q(x_LD).unflatten(-1, (self.heads, -1)))
        k, v = self.kv(text_MD).unflatten(-1, (2, self.heads, -1)).unbind(1)
        found: torch.Tensor = self.out(attend(q, self.norm_k(k), v, video, text).flatten(1))
        return found


def _head_norms(head_width: int, qk_norm: bool) -> tuple[nn.Module, nn.Module]:
    if not qk_norm:
        return nn.Identity(), nn.Identity()
    return nn.RMSNorm(head_width, eps=1e-6), nn.RMSNorm(head_width, eps=1e-6)
