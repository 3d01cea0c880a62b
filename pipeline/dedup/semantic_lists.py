"""Embeddings sorted into lists of near ones, so that only what shares a list must be compared.

Each clip lives in the list of its nearest centroid and visits the lists whose border it is near to. Two clips at a
distance of at most d whose homes differ have the bisecting plane of the two centroids between them, so one of them is
within d / 2 of it: to visit every list whose border is that near finds all pairs. The number of visits is bounded,
which is the only way in which a pair can be missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.dedup.semantic_store import Ranks, VectorStore, blocks
from pipeline.embeddings import Vectors
from pipeline.kmeans import SAMPLE_A_CENTROID, KMeans

Scalar = TypeVar("Scalar", bound=np.generic)

LIST_ROWS = 512
"""Clips in a list, on average: about as much work goes into finding the lists as into comparing within them."""
MAX_LISTS = 8192
PROJECTED_WIDTH = 128
"""Principal components that lists are made of and candidates are found by. A projection never lengthens a distance,
so what is too far apart in it is too far apart."""
_BLOCK = 8192
_SAMPLE_PCA = 20_000
_SLAB_VISITS = 2**23
"""Visits that are sorted by list at a time."""


@dataclass(frozen=True, slots=True)
class Lists:
    """Who lives in each list, and who visits it."""

    projected: Vectors
    """float32 (rows, at most PROJECTED_WIDTH), in the order of `ranks`."""
    homes: npt.NDArray[np.int32]
    """The list of each row, (rows,)."""
    visits: npt.NDArray[np.int32]
    """Further lists of each row, (rows, visits), -1 where there is none."""
    num_lists: int

    def members(self) -> Iterator[tuple[Ranks, Ranks]]:
        """Rows that live in each list, and rows that visit it, both ascending."""
        residents = _grouped(self.homes, np.arange(len(self.homes)), 0, self.num_lists)
        step = max(1, self.num_lists * _SLAB_VISITS // max(1, self.visits.size))
        for start in range(0, self.num_lists, step):
            stop = min(start + step, self.num_lists)
            rows, columns = np.nonzero((self.visits >= start) & (self.visits < stop))
            visitors = _grouped(self.visits[rows, columns], rows, start, stop)
            yield from zip(residents[start:stop], visitors, strict=True)


def _grouped(lists: npt.NDArray[np.int32], rows: Ranks, start: int, stop: int) -> list[Ranks]:
    """The rows of each list in `[start, stop)`, in the order in which they come."""
    order = np.argsort(lists, kind="stable")
    ends = np.cumsum(np.bincount(lists - start, minlength=stop - start))[:-1]
    return np.split(rows[order], ends)


def make_lists(store: VectorStore, ranks: Ranks, distance: float, max_visits: int, seed: int) -> Lists:
    """Sort embeddings into lists.

    Args:
        store: All embeddings.
        ranks: Those to sort, at least one, ascending.
        distance: How far apart a pair is at most.
        max_visits: In how many lists beside its home a clip is looked for at most.
        seed: Of the k-means.
    """
    axes = principal_axes(store.vectors(evenly(ranks, _SAMPLE_PCA)))
    projected = store.scratch("projected", (len(ranks), axes.shape[1]))
    for block in blocks(np.arange(len(ranks)), _BLOCK):
        projected[block] = store.vectors(ranks[block]) @ axes
    num_lists = min(len(ranks) // LIST_ROWS, MAX_LISTS)
    if num_lists <= max_visits + 1:
        # Every list would be visited.
        none = np.empty((len(ranks), 0), np.int32)
        return Lists(projected, np.zeros(len(ranks), np.int32), none, 1)
    means = KMeans(evenly(projected, num_lists * SAMPLE_A_CENTROID), num_lists, seed)
    apart = _distances(means.centroids)
    homes = np.empty(len(ranks), np.int32)
    visits = np.empty((len(ranks), max_visits), np.int32)
    for block in blocks(np.arange(len(ranks)), _BLOCK):
        squares, nearest = means.nearest(projected[block], max_visits + 1)
        homes[block] = nearest[:, 0]
        # How far it is to the plane in the middle between two centroids.
        to_border = (squares[:, 1:] - squares[:, :1]) / (2 * apart[nearest[:, :1], nearest[:, 1:]] + 1e-12)
        visits[block] = np.where(to_border <= distance / 2 + 1e-4, nearest[:, 1:], -1)
    return Lists(projected, homes, visits, num_lists)


def principal_axes(sample: Vectors) -> Vectors:
    """The directions in which a sample spreads most, orthonormal columns, float32 (width, at most PROJECTED_WIDTH)."""
    width = sample.shape[1]
    if width <= PROJECTED_WIDTH:
        return np.eye(width, dtype=np.float32)
    centred = sample - sample.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    return np.ascontiguousarray(axes[:, : -PROJECTED_WIDTH - 1 : -1], np.float32)


def evenly(rows: npt.NDArray[Scalar], count: int) -> npt.NDArray[Scalar]:
    """At most `count` rows at equal steps; in the order of ids, which are digests, that is a random sample."""
    if len(rows) <= count:
        return rows
    return rows[np.linspace(0, len(rows) - 1, count).astype(np.int64)]


def _distances(centroids: Vectors) -> Vectors:
    squares = np.einsum("nd,nd->n", centroids, centroids)
    apart = centroids @ centroids.T
    apart *= -2
    apart += squares
    apart += squares[:, None]
    np.maximum(apart, 0, out=apart)
    return np.asarray(np.sqrt(apart, out=apart))
