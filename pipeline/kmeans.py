"""k-means by FAISS: centroids from a sample, and the nearest of them to each vector."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.embeddings import Vectors

SAMPLE_A_CENTROID = 64
"""Vectors to train each centroid on; FAISS asks for 39 at least, and by its own rule more than 256 help no further."""
_ROUNDS = 8
_SPREAD_STARTS = 4
"""Starts far apart are drawn by chance; the best of several counts."""


class KMeans:
    """Centroids, and a search for the nearest.

    Args:
        sample: Vectors to train on, float32 (rows, width), at least as many as centroids. The same sample in the same
            order gives the same centroids on machines with the same linear algebra.
        num_centroids: How many.
        seed: Picks the vectors to start from.
        spread: Whether these are far apart (k-means++, the best of several), so that what is rare has a centroid of
            its own; if not, most are where most of the sample is, and all get about equally many vectors.
    """

    def __init__(self, sample: Vectors, num_centroids: int, seed: int, *, spread: bool = False) -> None:
        import faiss

        rows, width = sample.shape
        if rows < num_centroids:
            raise ValueError(f"{num_centroids=} need as many vectors at least, got {rows}")
        training = faiss.Clustering(width, num_centroids)
        training.niter = _ROUNDS
        training.seed = seed
        training.nredo = _SPREAD_STARTS if spread else 1
        training.init_method = (
            faiss.ClusteringInitMethod_KMEANS_PLUS_PLUS if spread else faiss.ClusteringInitMethod_RANDOM
        )
        training.min_points_per_centroid = 1
        training.max_points_per_centroid = rows
        self._index: Any = faiss.IndexFlatL2(width)
        training.train(np.ascontiguousarray(sample), self._index)
        self.centroids: Vectors = self._index.reconstruct_n(0, num_centroids)
        """float32 (num_centroids, width)."""

    def nearest(self, vectors: Vectors, count: int) -> tuple[Vectors, Any]:
        """Squared distances and numbers of the nearest centroids, each (rows, count), the nearest first."""
        return self._index.search(np.ascontiguousarray(vectors), count)  # type: ignore[no-any-return]
