"""Balanced selection: fewer clips of what there is most of, so that the long tail survives.

The kept clips' embeddings are clustered by k-means; then each cluster is capped, or thinned by the inverse square root
of its size. Which clips of a cluster stay is decided by a hash of the clip's id or by a score, never by chance, and so
does not depend on the order of the tables.
"""

from __future__ import annotations

from typing import Literal

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pydantic import Field

from pipeline.embeddings import Vectors, checked_vectors, stored_batches
from pipeline.kmeans import KMeans
from schemas import Config

BALANCE = pa.schema([("clip_id", pa.string()), ("cluster", pa.int32()), ("kept", pa.bool_()), ("weight", pa.float64())])
"""One row for each clip asked about. `cluster` is null without an embedding; `weight` is 0 where it is not kept."""

_HASH_RANGE = 2.0**64
_SAMPLE_A_CLUSTER = 256
"""Clips that k-means is trained on, a cluster: what is rarer than one among all of them cannot get its own."""


class BalanceConfig(Config):
    """How many clips of each cluster stay."""

    method: Literal["none", "cap", "inverse_sqrt"] = "none"
    """`cap`: at most `cap` clips a cluster. `inverse_sqrt`: of a cluster of n clips each stays with a probability of
    min(1, c / sqrt(n)), as Movie Gen resamples its concepts; c is such that `keep_ratio` of all clips stay."""
    num_clusters: int = Field(100, ge=2, le=65_536)
    """Clusters of k-means; Wan keeps 100, so that rare subjects have one of their own."""
    cap: int = Field(10_000, ge=1)
    """Most clips of a cluster."""
    keep_ratio: float = Field(0.5, gt=0, le=1, allow_inf_nan=False)
    """Share of the clips that `inverse_sqrt` keeps. With 1 none is dropped, and `weight` alone says what is common."""
    best_by: str | None = None
    """A score, the highest of which stay under `cap`; without it, or where it is missing, the id's hash decides."""
    seed: int = Field(0, ge=0, le=2**31 - 1)
    """Of the k-means."""


def balance(embeddings: ds.Dataset | None, kept: pa.Table, config: BalanceConfig) -> pa.Table:
    """Decide which of the clips kept so far stay.

    Args:
        embeddings: The stored table `scores/embedding`; None where there is none.
        kept: `clip_id` of the clips kept so far, each once; and `score`, a float, where `config.best_by` names one.
        config: How.

    Returns:
        A table of `BALANCE`. A clip without an embedding stays: nothing tells that there are many like it. `weight`
        says how often to draw the clip relative to others so that each cluster's share is as the square root of its
        size (`inverse_sqrt`), with a mean of 1 over the kept; it is 1 under `cap`.

    Raises:
        ConfigError: Embeddings differ in width, or one is not of unit length.
    """
    with duckdb.connect(":memory:") as db:
        db.execute("SET python_enable_replacements = false")
        db.execute("SET enable_progress_bar = false")
        db.register("kept", _with_score(kept))
        if embeddings is None or config.method == "none":
            return _kept_all(db)
        db.register("clustered", _clustered(db, embeddings, config))
        db.execute(
            "CREATE TABLE placed AS SELECT k.clip_id, cluster, score FROM kept k LEFT JOIN clustered USING (clip_id)"
        )
        sizes = db.sql(
            "SELECT cluster, count(*) AS size FROM placed WHERE cluster IS NOT NULL GROUP BY cluster ORDER BY cluster"
        ).to_arrow_table()
        return _capped(db, config.cap) if config.method == "cap" else _thinned(db, sizes, config.keep_ratio)


def shares(sizes: npt.NDArray[np.int64], keep_ratio: float) -> npt.NDArray[np.float64]:
    """The probability min(1, c / sqrt(n)) with which each clip of a cluster of n clips stays.

    Args:
        sizes: Clips of each cluster, at least 1.
        keep_ratio: Share of all clips that is to stay; c is chosen so.

    Source: Movie Gen (Polyak et al., 2024, arXiv:2410.13720): concepts resampled by the inverse square
    root of their cluster's size.
    """
    order = np.argsort(sizes)
    roots = np.sqrt(sizes[order].astype(np.float64))
    wanted = keep_ratio * sizes.sum()
    # With the k smallest clusters kept whole, the others keep c * sqrt(n) each; the right k is the first to fit.
    whole = np.concatenate([[0], np.cumsum(sizes[order])[:-1]])
    c = (wanted - whole) / np.cumsum(roots[::-1])[::-1]
    fitting = c <= roots
    chosen = c[np.argmax(fitting)] if fitting.any() else roots[-1]
    return np.asarray(np.minimum(1.0, chosen / np.sqrt(sizes)))


def _with_score(kept: pa.Table) -> pa.Table:
    if "score" in kept.schema.names:
        return kept.select(["clip_id", "score"])
    return pa.table({"clip_id": kept["clip_id"], "score": pa.nulls(len(kept), pa.float64())})


def _kept_all(db: duckdb.DuckDBPyConnection) -> pa.Table:
    return (
        db.sql("SELECT clip_id, NULL AS cluster, true AS kept, 1.0 AS weight FROM kept").to_arrow_table().cast(BALANCE)
    )


def _clustered(db: duckdb.DuckDBPyConnection, embeddings: ds.Dataset, config: BalanceConfig) -> pa.Table:
    """`clip_id` and `cluster` of every clip with an embedding; the clusters are those of the clips kept so far."""
    sample = _sample(db, embeddings, config.num_clusters * _SAMPLE_A_CLUSTER)
    names, clusters = [pa.array([], pa.string())], [pa.array([], pa.int32())]
    if len(sample):
        means = KMeans(sample, min(config.num_clusters, len(sample)), config.seed, spread=True)
        for ids, vectors in checked_vectors(stored_batches(embeddings)):
            names.append(ids)
            clusters.append(pa.array(means.nearest(vectors, 1)[1][:, 0].astype(np.int32)))
    return pa.table({"clip_id": pa.chunked_array(names), "cluster": pa.chunked_array(clusters)})


def _sample(db: duckdb.DuckDBPyConnection, embeddings: ds.Dataset, count: int) -> Vectors:
    """Embeddings of the `count` kept clips with the smallest hashes, in the order of their ids."""
    smallest = f"SELECT clip_id FROM kept ORDER BY md5_number_lower(clip_id), clip_id LIMIT {count}"
    wanted = db.sql(smallest).to_arrow_table()["clip_id"].combine_chunks()
    names, vectors = [np.empty(0, object)], [np.empty((0, 0), np.float32)]
    for ids, some in checked_vectors(stored_batches(embeddings)):
        mine = pc.is_in(ids, wanted).to_numpy(zero_copy_only=False)
        if mine.any():
            names.append(ids.to_numpy(zero_copy_only=False)[mine])
            vectors.append(some[mine])
    return np.concatenate(vectors[1:] or vectors)[np.argsort(np.concatenate(names))]


def _capped(db: duckdb.DuckDBPyConnection, cap: int) -> pa.Table:
    query = """
        SELECT clip_id, cluster, cluster IS NULL OR row_number() OVER (
            PARTITION BY cluster ORDER BY score DESC NULLS LAST, md5_number_lower(clip_id), clip_id
        ) <= $1 AS kept, kept::DOUBLE AS weight FROM placed ORDER BY clip_id
    """
    return db.sql(query, params=[cap]).to_arrow_table().cast(BALANCE)


def _thinned(db: duckdb.DuckDBPyConnection, sizes: pa.Table, keep_ratio: float) -> pa.Table:
    num_clips = sizes["size"].to_numpy()
    db.register("chance", sizes.append_column("share", pa.array(shares(num_clips, keep_ratio))))
    query = f"""
        WITH decided AS (
            SELECT clip_id, cluster, size,
                share IS NULL OR share >= 1 OR md5_number_lower(clip_id) / {_HASH_RANGE!r} < share AS kept
            FROM placed LEFT JOIN chance USING (cluster)
        ), weighed AS (
            SELECT *, CASE WHEN kept THEN sqrt(size) / sum(kept::INT) OVER (PARTITION BY cluster) END AS raw
            FROM decided
        )
        SELECT clip_id, cluster, kept, CASE
            WHEN NOT kept THEN 0.0
            WHEN cluster IS NULL THEN 1.0
            ELSE raw / avg(raw) FILTER (cluster IS NOT NULL) OVER ()
        END AS weight FROM weighed ORDER BY clip_id
    """
    return db.sql(query).to_arrow_table().cast(BALANCE)
