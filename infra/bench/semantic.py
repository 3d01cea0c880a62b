"""Semantic pairs among a million embeddings: how long they take, in how much memory, and how many are found.

`python -m infra.bench.semantic DATASET OUT` is the measured process: it finds the pairs and writes them to OUT.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from infra.bench.processes import Marked, rss_bytes
from infra.bench.table import Figure
from pipeline.dataset import Dataset
from pipeline.dedup.semantic import SemanticConfig, semantic_pairs
from pipeline.embeddings import TABLE, checked_vectors, stored_batches
from schemas import TABLES

_COUNT, _WIDTH, _SAMPLE = 1_000_000, 512, 20_000
_SEED = 20261
_BLOCK = 10_000
_RUN_S = 3600.0
_TOPICS = 3000

Vectors = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]


def measure(cache: Path, *, count: int = _COUNT, sample: int = _SAMPLE, seed: int = _SEED) -> list[Figure]:
    """All figures of so many embeddings, of which a sample is also searched exactly."""
    root = drawn_dataset(cache / f"semantic-{count}-{seed}", count, seed)
    out = cache / "semantic-pairs.parquet"
    with Marked([sys.executable, "-m", "infra.bench.semantic", str(root), str(out)], cache / "cwd") as run:
        run.finish(_RUN_S)
        told = json.loads(run.output.splitlines()[-1])
    listed, joined, true = _recall(root, pq.read_table(out), sample)
    name = f"{count} embeddings of {_WIDTH}"
    load = f"{told['cpu_s']:.0f} s of processor time; load of the machine {os.getloadavg()[1]:.1f}"
    return [
        Figure(name=f"{name}: semantic pairs", value=told["elapsed_s"] / 60, unit="minutes", at_most=10, note=load),
        Figure(name=f"{name}: highest memory", value=told["peak_bytes"] / 2**30, unit="GiB", at_most=4),
        Figure(
            name=f"{name}: pairs of an exact search that are in one group",
            value=joined,
            at_least=0.98,
            note=f"{true} pairs of {sample} clips with all others; {told['pairs']} found in all",
        ),
        Figure(
            name=f"{name}: pairs of an exact search that are listed",
            value=listed,
            at_least=0.98,
            note="of clips with at most as many neighbours as are listed of one",
        ),
    ]


def drawn_dataset(root: Path, count: int, seed: int) -> Path:
    """A dataset with nothing but embeddings, made once."""
    done = root / "done"
    if not done.exists():
        schema = TABLES[TABLE].schema
        reader = pa.RecordBatchReader.from_batches(schema, _batches(count, seed, schema))
        Dataset(str(root)).manifest.overwrite(TABLE, reader)
        done.touch()
    return root


def _batches(count: int, seed: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    start = 0
    for vectors in drawn_embeddings(count, _WIDTH, seed):
        ids = [hashlib.blake2b(b"%d" % k, digest_size=16).hexdigest() for k in range(start, start + len(vectors))]
        start += len(vectors)
        offsets = pa.array(np.arange(0, vectors.size + 1, vectors.shape[1], dtype=np.int32))
        lists = pa.ListArray.from_arrays(offsets, pa.array(vectors.reshape(-1)))
        yield pa.record_batch([pa.array(ids), pa.array(ids), lists], schema=schema)


def drawn_embeddings(count: int, width: int, seed: int) -> Iterator[Vectors]:
    """Unit vectors as an image encoder gives them, each value one of float16, in blocks.

    They lie in a cone, around topics some of which are far more common than others, and spread more in some
    directions than in others. Of all clips 15 % are neighbours of another (cosine 0.94 to 1), 1 % exact copies, and
    0.5 % crowd around one point, as black clips do.
    """
    rng = np.random.default_rng(seed)
    spread = (np.arange(1, width + 1, dtype=np.float32) ** -0.5)[rng.permutation(width)]
    spread /= np.linalg.norm(spread)
    cone, crowd = _unit(rng.standard_normal((2, width), np.float32))
    topics = _unit(rng.standard_normal((_TOPICS, width), np.float32) * spread) + cone
    common = np.arange(1, _TOPICS + 1) ** -0.7
    for start in range(0, count, _BLOCK):
        rows = min(_BLOCK, count - start)
        around = topics[rng.choice(_TOPICS, rows, p=common / common.sum())]
        vectors = _unit(around + 0.7 * _unit(rng.standard_normal((rows, width), np.float32) * spread))
        what = rng.random(rows)
        source = vectors[rng.integers(0, rows, rows)]
        # A neighbour's difference lies half in the directions in which all spread, half in any.
        shift = _unit(rng.standard_normal((rows, width), np.float32) * (spread + width**-0.5))
        angle = np.arccos(rng.uniform(0.94, 1, rows)).astype(np.float32)[:, None]
        vectors = np.where((what < 0.15)[:, None], _turned(source, shift, angle), vectors)
        vectors = np.where((what > 0.985)[:, None], source, vectors)
        vectors = np.where(
            (what > 0.995)[:, None], _turned(crowd[None], shift, np.asarray(angle / 4, np.float32)), vectors
        )
        yield vectors.astype(np.float16).astype(np.float32)


def _turned(vectors: Vectors, shift: Vectors, angle: Vectors) -> Vectors:
    across = _unit(shift - np.einsum("nd,nd->n", np.broadcast_to(vectors, shift.shape), shift)[:, None] * vectors)
    return np.asarray(np.cos(angle) * vectors + np.sin(angle) * across, np.float32)


def _unit(vectors: Vectors) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def _recall(root: Path, pairs: pa.Table, sample: int) -> tuple[float, float, int]:
    """Share of the sample's true pairs that are listed, share of those that are in one group, and their number."""
    config = SemanticConfig()
    stored = Dataset(str(root)).manifest.dataset(TABLE)
    assert stored is not None
    rows = stored.count_rows()
    queries = np.arange(0, rows, max(1, rows // sample))[:sample]
    place: dict[str, int] = {}
    alike: dict[bytes, int] = {}
    model = np.empty(rows, np.int64)
    asked = np.empty((len(queries), _WIDTH), np.float32)
    for ids, vectors in checked_vectors(stored_batches(stored)):
        start = len(place)
        for k, (name, vector) in enumerate(zip(ids.to_pylist(), vectors, strict=True), start):
            place[name] = k
            model[k] = alike.setdefault(hashlib.blake2b(vector.tobytes(), digest_size=16).digest(), k)
        mine = (queries >= start) & (queries < start + len(vectors))
        asked[mine] = vectors[queries[mine] - start]
    first, second = _exact(stored, asked, queries, config.threshold)
    one, other = (np.array([place[name] for name in pairs[side].to_pylist()]) for side in ("clip_id", "other_id"))
    group = _groups(rows, one, other)
    # One of several exact copies stands for all of them: its pairs are theirs.
    known = set(_keys(model[one], model[other], rows).tolist())
    sparse = np.bincount(first, minlength=rows)[first] <= config.max_pairs_per_list
    sparse &= model[first] != model[second]
    listed = [key in known for key in _keys(model[first[sparse]], model[second[sparse]], rows).tolist()]
    return float(np.mean(listed)), float(np.mean(group[first] == group[second])), len(first)


def _keys(one: Places, other: Places, rows: int) -> Places:
    return np.asarray(np.minimum(one, other) * rows + np.maximum(one, other))


def _exact(stored: ds.Dataset, asked: Vectors, queries: Places, threshold: float) -> tuple[Places, Places]:
    """Every pair of a query and any other row, by comparing all."""
    first, second, start = [], [], 0
    for _, vectors in checked_vectors(stored_batches(stored)):
        vectors = _unit(vectors)
        for low in range(0, len(asked), _BLOCK):
            row, query = np.nonzero(vectors @ _unit(asked[low : low + _BLOCK]).T >= threshold)
            first.append(queries[low + query])
            second.append(start + row)
        start += len(vectors)
    one, other = np.concatenate(first), np.concatenate(second)
    return one[one != other], other[one != other]


def _groups(rows: int, one: Places, other: Places) -> Places:
    """The lowest row that each row hangs together with."""
    group = np.arange(rows)
    while True:
        low = np.minimum(group[one], group[other])
        before = group.copy()
        np.minimum.at(group, one, low)
        np.minimum.at(group, other, low)
        group = np.asarray(group[group])
        if (group == before).all():
            return group


def _main(root: str, out: str) -> None:
    started, cpu = time.monotonic(), time.process_time()
    pairs = semantic_pairs(Dataset(root), SemanticConfig())
    pq.write_table(pairs, out)
    told = {
        "elapsed_s": time.monotonic() - started,
        "cpu_s": time.process_time() - cpu,
        "peak_bytes": rss_bytes(os.getpid(), "VmHWM"),
        "pairs": len(pairs),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    _main(*sys.argv[1:])
