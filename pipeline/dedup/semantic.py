"""Pairs of clips that show the same: their embeddings point almost the same way.

Source: SemDeDup (Abbas et al., 2023, arXiv:2303.09540): k-means, then comparison within each cluster. There a pair
across a border is missed; here clips near a border are compared on both sides of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from pipeline.dataset import Dataset
from pipeline.dedup.semantic_lists import Lists, make_lists
from pipeline.dedup.semantic_store import Ranks, VectorStore, blocks
from pipeline.embeddings import TABLE
from schemas import Config

PAIRS = pa.schema(
    [
        ("clip_id", pa.string()),
        ("other_id", pa.string()),
        ("similarity", pa.float64()),
        ("method", pa.string()),
        ("offset_s", pa.float64()),
    ]
)
"""One row a pair: `clip_id` is the smaller id."""

METHOD = "semantic"
_SLACK = 1e-4
"""Of a squared distance, for the rounding of float32."""
_CELLS = 2**23
"""Similarities that are held at a time: 32 MiB."""
_CHECK_ROWS = 16384
_CHECKED = 8
"""Candidates that are looked at in full width, for each pair that may be kept."""


class SemanticConfig(Config):
    """When two clips show the same."""

    threshold: float = Field(0.985, ge=0.8, le=0.9999, allow_inf_nan=False)
    """Least cosine of two embeddings. Between the published ones: Cosmos takes 0.99 (eps 0.01), Open-Sora 0.98, both
    with a CLIP of their own; see the pairs at the border before trusting it with another model."""
    max_visits: int = Field(24, ge=0, le=256)
    """In how many lists beside its own a clip is compared at most. More find more of the pairs across borders."""
    max_pairs_per_list: int = Field(32, ge=1)
    """Pairs that a clip keeps of one list, those of smallest ids. In a denser crowd the members hang together through
    each other, and the number of pairs stays far from the square of their number."""
    seed: int = Field(0, ge=0, le=2**31 - 1)
    """Of the k-means that makes the lists."""


class Pairs(NamedTuple):
    """Pairs by rank: `first < second`, one similarity each."""

    first: Ranks
    second: Ranks
    similarity: npt.NDArray[np.float64]


def semantic_pairs(dataset: Dataset, config: SemanticConfig) -> pa.Table:
    """All pairs of clips whose embeddings have at least a cosine, in the order of their ids.

    Clips with exactly the same embedding are paired with the first of them alone, and only that one with others.

    Args:
        dataset: Where the table `scores/embedding` lies; clips without an embedding have no pair.
        config: When they are a pair.

    Returns:
        A table of `PAIRS`, `similarity` rounded to 6 decimals and `offset_s` null.

    Raises:
        ConfigError: Embeddings differ in width, or one is not of unit length.
    """
    embeddings = dataset.manifest.dataset(TABLE)
    if embeddings is None:
        return PAIRS.empty_table()
    with VectorStore(embeddings) as store:
        if not len(store):
            return PAIRS.empty_table()
        pairs = find_pairs(store, config)
        return pa.table(
            [
                store.ids.take(pa.array(pairs.first)),
                store.ids.take(pa.array(pairs.second)),
                pa.array(pairs.similarity),
                pa.repeat(pa.scalar(METHOD), len(pairs.first)),
                pa.nulls(len(pairs.first), pa.float64()),
            ],
            schema=PAIRS,
        )


def find_pairs(store: VectorStore, config: SemanticConfig) -> Pairs:
    """The pairs of `semantic_pairs`, by rank, ascending."""
    firsts = store.first_of_equals()
    ranks = np.arange(len(store))
    kinds, copies = np.flatnonzero(firsts == ranks), np.flatnonzero(firsts != ranks)
    distance = float(np.sqrt(2 - 2 * config.threshold))
    lists = make_lists(store, kinds, distance, config.max_visits, config.seed)
    found = [Pairs(firsts[copies], copies, np.ones(len(copies)))]
    for residents, visitors in lists.members():
        for rows, others in _candidates(lists, residents, visitors, distance, _CHECKED * config.max_pairs_per_list):
            cosines = _cosines(store, kinds[rows], kinds[others])
            near = cosines >= config.threshold
            rows, others, cosines = rows[near], others[near], cosines[near]
            kept = _first_of_each(rows, config.max_pairs_per_list)
            found.append(_in_order(kinds[rows[kept]], kinds[others[kept]], cosines[kept]))
    return _distinct(found)


def _candidates(
    lists: Lists, residents: Ranks, visitors: Ranks, distance: float, max_pairs: int
) -> Iterator[tuple[Ranks, Ranks]]:
    """Rows that may be pairs, by what is left of their distance in the projection: (rows, residents of the list)."""
    if not len(residents):
        return
    inside = lists.projected[residents]
    squares = np.einsum("nd,nd->n", inside, inside)
    for rows in blocks(np.concatenate([residents, visitors]), max(1, _CELLS // len(residents))):
        vectors = lists.projected[rows]
        # |x - y|^2 <= d^2, as x y >= (|x|^2 + |y|^2 - d^2) / 2
        products = vectors @ inside.T
        products -= squares / 2
        least = np.einsum("nd,nd->n", vectors, vectors) / 2 - (distance**2 + _SLACK) / 2
        near = products >= least[:, None]
        query, member = np.divmod(np.flatnonzero(near), len(residents))
        # Of two residents the earlier one has the pair; a visitor is never a resident.
        own = lists.homes[rows[query]] == lists.homes[residents[0]]
        wanted = ~own | (rows[query] < residents[member])
        query, member = query[wanted], member[wanted]
        if len(query):
            kept = _first_of_each(query, max_pairs)
            yield rows[query[kept]], residents[member[kept]]


def _first_of_each(groups: Ranks, count: int) -> npt.NDArray[np.bool_]:
    """Whether each element is among the first `count` of its run of equal values."""
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    lengths = np.diff(starts, append=len(groups))
    place = np.arange(len(groups)) - np.repeat(starts, lengths)
    return np.asarray(place < count)


def _cosines(store: VectorStore, first: Ranks, second: Ranks) -> npt.NDArray[np.float64]:
    """The cosine of each pair, in full width, to 6 decimals."""
    cosines = np.empty(len(first), np.float64)
    for block in blocks(np.arange(len(first)), _CHECK_ROWS):
        cosines[block] = np.einsum("nd,nd->n", store.vectors(first[block]), store.vectors(second[block]))
    return np.minimum(cosines, 1.0).round(6)


def _in_order(first: Ranks, second: Ranks, similarity: npt.NDArray[np.float64]) -> Pairs:
    return Pairs(np.minimum(first, second), np.maximum(first, second), similarity)


def _distinct(found: list[Pairs]) -> Pairs:
    """All pairs in order, each once: one may have been met in two lists."""
    first, second, similarity = (np.concatenate([pairs[k] for pairs in found]) for k in range(3))
    order = np.lexsort((second, first))
    first, second, similarity = first[order], second[order], similarity[order]
    new = np.append(True, (np.diff(first) != 0) | (np.diff(second) != 0))[: len(first)]
    return Pairs(first[new], second[new], similarity[new])
