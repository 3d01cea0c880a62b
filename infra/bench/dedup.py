"""Perceptual duplicates among a million clips: time, memory, and what the index misses.

`python -m infra.bench.dedup DATASET` is the measured process: it does the step on a dataset that holds fingerprints.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from infra.bench.processes import Marked, rss_bytes, sampled
from infra.bench.table import Figure
from pipeline.dataset import Dataset
from pipeline.dedup.candidates import find_candidates
from pipeline.dedup.fingerprint import INTERVAL_S, LAYOUT, MIRROR, NUM_INSTANT, NUM_PICTURE
from pipeline.dedup.registration import crop_luma
from pipeline.dedup.store import COLUMNS, load_fingerprints
from pipeline.stages.dedup import DedupConfig, compute
from schemas import TABLES

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

_COPIES: Final = 0.1
"""Share of clips that are copies of others."""
_BLOCK: Final = 20_000
_RUN_S: Final = 3600.0
_MEMORY_GIB: Final = 4.0
_TIME_S: Final = 600.0
_SAMPLE: Final = 20_000
_LEVELS: Final = 45.0
"""Standard deviation of the lowest frequency of luma; higher ones fall as their inverse, as in photographs."""


def measure(cache: Path, num_clips: int = 1_000_000, *, seed: int = 0) -> list[Figure]:
    """All figures of so many clips."""
    place = cache / f"fingerprints-{num_clips}"
    shutil.rmtree(place, ignore_errors=True)
    dataset = Dataset(str(place))
    dataset.create()
    planted = _plant(dataset, num_clips, seed)
    command = [sys.executable, "-m", "infra.bench.dedup", str(place)]
    with Marked(command, cache / "cwd", {"OMP_NUM_THREADS": "2"}) as run:
        with sampled(partial(rss_bytes, run.process.pid, "VmHWM"), every_s=0.2) as peak:
            run.finish(_RUN_S)
        told = json.loads(run.output.splitlines()[-1])
    found = dataset.manifest.read("duplicates", ["clip_id", "duplicate_of"]).to_pydict()
    pairs = {frozenset(pair) for pair in zip(found["clip_id"], found["duplicate_of"], strict=True)}
    hits = len(pairs & planted)
    recall, num_sample = _recall_of_index(dataset)
    shutil.rmtree(place)
    name = f"{num_clips} fingerprints"
    return [
        Figure(name=f"{name}: the whole step", value=told["seconds"], unit="s", at_most=_TIME_S, note="two threads"),
        Figure(name=f"{name}: highest memory", value=peak[0] / 2**30, unit="GiB", at_most=_MEMORY_GIB),
        Figure(name=f"{name}: planted copies found", value=hits / max(len(planted), 1), note=f"of {len(planted)}"),
        Figure(name=f"{name}: dropped without being planted", value=len(pairs - planted)),
        Figure(
            name=f"index against comparing all with all, {num_sample} clips",
            value=recall,
            at_least=0.98,
            note="pairs that the whole step accepts with the one and with the other",
        ),
    ]


def _plant(dataset: Dataset, num_clips: int, seed: int) -> set[frozenset[str]]:
    """Write the tables `fingerprints` and `clips`; tell which clips show the same."""
    planted: set[frozenset[str]] = set()

    def batches() -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
        for begin in range(0, num_clips, _BLOCK):
            rng = np.random.default_rng((seed, begin))
            yield _block(rng, min(_BLOCK, num_clips - begin), planted)

    for fingerprints, clips in batches():
        dataset.manifest.append("fingerprints", pa.Table.from_batches([fingerprints]))
        dataset.manifest.append("clips", pa.Table.from_batches([clips]))
    dataset.manifest.tidy()
    return planted


def _block(rng: np.random.Generator, count: int, planted: set[frozenset[str]]) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Some clips, the last tenth of them copies of the first."""
    num_copies = int(count * _COPIES)
    num_own = count - num_copies
    ids = [rng.bytes(16).hex() for _ in range(count)]
    rows: list[dict[str, Any]] = []
    for k in range(num_own):
        shown = _footage(rng)
        rows.append(_row(ids[k], shown, INTERVAL_S))
        if k < num_copies:
            copy, interval_s = _copied(rng, shown)
            rows.append(_row(ids[num_own + k], copy, interval_s))
            planted.add(frozenset((ids[k], ids[num_own + k])))
    order = rng.permutation(len(rows))
    table = pa.Table.from_pylist([rows[k] for k in order], schema=TABLES["fingerprints"].schema)
    lengths = np.array([len(row["changes"]) / NUM_INSTANT * row["interval_s"] for row in rows])[order]
    clips = pa.table(
        {
            "clip_id": table["clip_id"],
            "video_id": table["video_id"],
            "start_s": np.zeros(len(rows)),
            "end_s": lengths,
            "crop_width": np.full(len(rows), 1280),
            "crop_height": np.full(len(rows), 720),
        }
    )
    return table.combine_chunks().to_batches()[0], clips.combine_chunks().to_batches()[0]


_FREQUENCY = np.array([np.hypot(v, u) for _, v, u in LAYOUT])
_SPREAD = np.where(
    np.array([plane for plane, _, _ in LAYOUT]) == 0, _LEVELS, _LEVELS / 4
) / np.maximum(_FREQUENCY, 1)  # fmt: skip


def _footage(rng: np.random.Generator) -> Floats:
    """Coefficients of the instants of a clip of 1 to 10 seconds, (K, 90): a picture that drifts as a random walk."""
    count = int(rng.integers(4, 41))
    picture = rng.normal(0, _SPREAD)
    speed = np.exp(rng.normal(-2.5, 0.8))
    drift = np.cumsum(rng.normal(0, speed, (count, NUM_PICTURE)) * _SPREAD, axis=0)
    return np.asarray(picture + drift, np.float32)


def _copied(rng: np.random.Generator, shown: Floats) -> tuple[Floats, float]:
    """The same footage at other instants: a part of it, at another speed, perhaps cropped or mirrored, with noise."""
    length = rng.uniform(0.6, 1.0) * len(shown)
    begin = rng.uniform(0, len(shown) - length)
    count = max(4, round(length))
    place = np.clip(begin + (np.arange(count) + 0.5) * length / count - 0.5, 0, len(shown) - 1)
    low = np.minimum(place.astype(np.int64), max(len(shown) - 2, 0))
    share = (place - low)[:, None]
    copy = shown[low] * (1 - share) + shown[np.minimum(low + 1, len(shown) - 1)] * share
    if rng.random() < 0.2:
        copy = _cropped(copy, np.asarray([rng.uniform(0, 0.05), 1 - rng.uniform(0, 0.05)] * 2, np.float32))
    if rng.random() < 0.1:
        copy = copy * MIRROR
    copy = copy + rng.normal(0, 0.4, copy.shape)
    return copy.astype(np.float32), INTERVAL_S * rng.uniform(0.93, 1.07)


def _cropped(shown: Floats, bounds: Floats) -> Floats:
    places = [(k, v, u) for k, (plane, v, u) in enumerate(LAYOUT[:NUM_INSTANT]) if plane == 0]
    luma = np.zeros((1, len(shown), 8, 8), np.float32)
    for k, v, u in places:
        luma[0, :, v, u] = shown[:, k]
    luma = crop_luma(luma, bounds[None])
    cropped = shown.copy()
    for k, v, u in places:
        cropped[:, k] = luma[0, :, v, u]
    return cropped


def _row(clip_id: str, shown: Floats, interval_s: float) -> dict[str, Any]:
    picture = shown.mean(axis=0)
    changes = shown[:, :NUM_INSTANT] - picture[:NUM_INSTANT]
    step = max(float(np.abs(changes).max()) / 127, 1e-3)
    return {
        "clip_id": clip_id,
        "video_id": clip_id,
        "interval_s": interval_s,
        "change_step": step,
        "picture": picture.astype("<f2").tobytes(),
        "changes": np.rint(changes / step).astype(np.int8).tobytes(),
        "content": clip_id[-16:],
    }


def _recall_of_index(dataset: Dataset) -> tuple[float, int]:
    """Of the candidate pairs that comparing all keys finds and that are duplicates, the share that the index finds."""
    from pipeline.dedup.perceptual import PerceptualConfig, accepted_pairs

    fingerprints = load_fingerprints(partial(dataset.manifest.batches, "fingerprints", COLUMNS))
    clips = np.arange(min(_SAMPLE, len(fingerprints)))
    both = [find_candidates(fingerprints, clips, exact_keys=keys) for keys in (2**31, 0)]
    exact, indexed = (
        {
            (row["clip_id"], row["other_id"])
            for row in accepted_pairs(fingerprints, candidates, PerceptualConfig()).to_pylist()
        }
        for candidates in both
    )
    return (len(exact & indexed) / len(exact) if exact else 1.0), len(clips)


def _main(argv: Sequence[str]) -> None:
    started = time.monotonic()
    compute(Dataset(argv[0]), DedupConfig())
    print(json.dumps({"seconds": time.monotonic() - started}))


if __name__ == "__main__":
    _main(sys.argv[1:])
