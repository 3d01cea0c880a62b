"""What stays of clips that show the same, and for whom each other clip is dropped.

A clip may go for another only where enough of it lies within that other; so a short clip goes for the long one that
contains it, however good it is, and of clips of about one length the best stays. A clip is dropped only for one that
stays, and only where the two were found alike or both were found like a third.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Array = npt.NDArray[Any]

METHODS: Final = ("exact", "perceptual", "semantic")
"""In the order of what they prove."""
_SEMANTIC: Final = 2
"""From here on two likenesses make no third: clips that look alike to a network need have nothing in common."""
_DEEPEST: Final = 64
DUPLICATES: Final = pa.schema(
    [
        ("clip_id", pa.string()),
        ("duplicate_of", pa.string()),
        ("method", pa.string()),
        ("similarity", pa.float64()),
        ("offset_s", pa.float64()),
    ]
)
"""One row a dropped clip; `offset_s` is the moment of the other clip at which it begins, null where not known."""


@dataclass(frozen=True, slots=True)
class _Edges:
    """Which clip may go for which, (E,) each, sorted by the clip that may go."""

    clip: Array
    other: Array
    method: Array
    """Place in `METHODS`."""
    similarity: Array
    offset_s: Array
    """NaN where not known."""
    speed: Array
    share: Array
    """How much of the clip lies within the other."""
    other_share: Array
    """How much of the other lies within the clip."""


@dataclass(frozen=True, slots=True)
class _Way:
    """One edge, or several in a row."""

    other: int
    method: int
    similarity: float
    offset_s: float
    speed: float
    share: float
    other_share: float


def drop_duplicates(pairs: pa.Table, quality: pa.Table, min_overlap: float) -> pa.Table:
    """Decide for each clip of the pairs whether it stays.

    Args:
        pairs: `clip_id, other_id, similarity, method, offset_s`, and where known `speed, share, other_share` (see
            `pipeline.dedup.perceptual.PAIRS`); a pair without them has each clip wholly within the other.
        quality: `clip_id, quality` of at least these clips; a clip that is missing or null is worse than all.
        min_overlap: The least share of a clip within the other for which it may go.

    Returns:
        A table of `DUPLICATES`, ascending by `clip_id`, whatever the order of the rows given.
    """
    ids = pc.unique(pa.chunked_array([*pairs["clip_id"].chunks, *pairs["other_id"].chunks], pa.string()))
    ids = ids.take(pc.sort_indices(ids))
    if not len(ids):
        return DUPLICATES.empty_table()
    edges = _edges(pairs, ids, min_overlap)
    going = _decide(edges, _order(edges, _quality(quality, ids), min_overlap), min_overlap)
    dropped = sorted(going)
    ways = [going[clip] for clip in dropped]
    offset_s = np.array([way.offset_s for way in ways], np.float64).round(3) + 0.0
    return pa.table(
        [
            ids.take(pa.array(dropped, pa.int64())),
            ids.take(pa.array([way.other for way in ways], pa.int64())),
            pa.array([METHODS[way.method] for way in ways], pa.string()),
            pa.array([way.similarity for way in ways], pa.float64()),
            pa.array(offset_s, mask=np.isnan(offset_s)),
        ],
        schema=DUPLICATES,
    )


def _edges(pairs: pa.Table, ids: pa.Array, min_overlap: float) -> _Edges:
    """Both directions of each pair, as far as enough of the clip lies within the other."""
    clip, other = (np.asarray(pc.index_in(pairs[name], ids)).astype(np.int64) for name in ("clip_id", "other_id"))
    method = np.asarray(pc.index_in(pairs["method"], pa.array(METHODS))).astype(np.int64)
    similarity = np.asarray(pairs["similarity"], np.float64)
    offset_s = _numbers(pairs, "offset_s", np.nan)
    speed, share, other_share = (_numbers(pairs, name, 1.0) for name in ("speed", "share", "other_share"))
    both = _Edges(
        clip=np.concatenate([clip, other]),
        other=np.concatenate([other, clip]),
        method=np.tile(method, 2),
        similarity=np.tile(similarity, 2),
        offset_s=np.concatenate([offset_s, 0.0 - offset_s / speed]),
        speed=np.concatenate([speed, 1 / speed]),
        share=np.concatenate([share, other_share]),
        other_share=np.concatenate([other_share, share]),
    )
    allowed = np.flatnonzero((both.share >= min_overlap) & (both.clip != both.other))
    order = allowed[
        np.lexsort((both.other[allowed], -both.similarity[allowed], both.method[allowed], both.clip[allowed]))
    ]
    return _Edges(*(getattr(both, name)[order] for name in _Edges.__slots__))


def _numbers(pairs: pa.Table, name: str, missing: float) -> Array:
    if name not in pairs.schema.names:
        return np.full(len(pairs), missing)
    return np.asarray(pc.fill_null(pairs[name].cast(pa.float64()), missing), np.float64)


def _quality(table: pa.Table, ids: pa.Array) -> Array:
    place = np.asarray(pc.fill_null(pc.index_in(table["clip_id"], ids), -1)).astype(np.int64)
    values = np.asarray(pc.fill_null(table["quality"].cast(pa.float64()), -np.inf), np.float64)
    quality = np.full(len(ids), -np.inf)
    quality[place[place >= 0]] = np.nan_to_num(values[place >= 0], nan=-np.inf)
    return quality


def _order(edges: _Edges, quality: Array, min_overlap: float) -> Array:
    """Clips in the order in which they are decided: those that contain others first, of these the best first."""
    num_clips = len(quality)
    depth = np.zeros(num_clips, np.int64)
    contained = np.flatnonzero(edges.other_share < min_overlap)
    clip, other = edges.clip[contained], edges.other[contained]
    # What contains a clip is longer than it, so there is no circle; the bound is for shares that contradict each other.
    for _ in range(_DEEPEST):
        deeper = depth.copy()
        np.maximum.at(deeper, clip, depth[other] + 1)
        if (deeper == depth).all():
            break
        depth = deeper
    order: Array = np.lexsort((np.arange(num_clips), -quality, depth))
    return order


def _decide(edges: _Edges, order: Array, min_overlap: float) -> dict[int, _Way]:
    """Each clip that goes, and for which it does."""
    num_clips = len(order)
    begins = np.searchsorted(edges.clip, np.arange(num_clips + 1)).tolist()
    others = edges.other.tolist()
    stays = [False] * num_clips
    going: dict[int, _Way] = {}
    for clip in order.tolist():
        span = range(begins[clip], begins[clip + 1])
        direct = next((edge for edge in span if stays[others[edge]]), None)
        if direct is not None:
            going[clip] = _way(edges, direct)
            continue
        ways = (_joined(_way(edges, edge), going[others[edge]]) for edge in span if others[edge] in going)
        joined = next((way for way in ways if way.share >= min_overlap and way.method < _SEMANTIC), None)
        if joined is not None:
            going[clip] = joined
        else:
            stays[clip] = True
    return going


def _way(edges: _Edges, edge: int) -> _Way:
    return _Way(*(getattr(edges, name)[edge].item() for name in _Way.__slots__))


def _joined(one: _Way, then: _Way) -> _Way:
    """From a clip to a second one and on to a third; the share is what the third is sure to show of the first."""
    lost = (1 - then.share) / max(one.other_share, 1e-6)
    return _Way(
        other=then.other,
        method=max(one.method, then.method),
        similarity=min(one.similarity, then.similarity),
        offset_s=then.offset_s + then.speed * one.offset_s,
        speed=one.speed * then.speed,
        share=one.share * max(1 - lost, 0.0),
        other_share=one.other_share * then.other_share,
    )
