"""All clips' fingerprints as arrays, in the order of their ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dedup.fingerprint import NUM_INSTANT, NUM_PICTURE

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

COLUMNS = ("clip_id", "interval_s", "change_step", "picture", "changes", "content")
"""What of the table `fingerprints` is read."""
_CONTENT_BYTES = 8


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """N clips with I instants in all; a clip is called by its place in here."""

    clip_ids: pa.Array
    """(N,), ascending."""
    content: npt.NDArray[np.uint64]
    """(N,): equal where the pictures are."""
    interval_s: npt.NDArray[np.float64]
    """(N,): seconds an instant."""
    begins: npt.NDArray[np.int64]
    """(N + 1,): where the instants of each clip begin."""
    pictures: npt.NDArray[np.float16]
    """(N, 90): coefficients of mean pictures."""
    changes: npt.NDArray[np.int8]
    """(I, 42): what instants differ from them."""
    change_step: Floats
    """(N,): levels a step of those."""

    def __len__(self) -> int:
        return len(self.clip_ids)

    @property
    def num_instants(self) -> npt.NDArray[np.int64]:
        """(N,): instants a clip."""
        return np.diff(self.begins)

    @property
    def duration_s(self) -> npt.NDArray[np.float64]:
        """(N,): how long each clip is, in seconds."""
        return self.num_instants * self.interval_s

    def instants(self, clip: int) -> Floats:
        """The coefficients of one clip's instants, (K, 42), in levels."""
        changes = self.changes[self.begins[clip] : self.begins[clip + 1]].astype(np.float32)
        return np.asarray(self.pictures[clip, :NUM_INSTANT].astype(np.float32) + changes * self.change_step[clip])


def load_fingerprints(batches: Callable[[], Iterable[pa.RecordBatch]]) -> Fingerprints:
    """Read the table twice: first to know the order and the room, then the numbers into their places.

    Args:
        batches: Gives the rows anew, with `COLUMNS`, in the same order each time. Rows that are no fingerprint (a null,
            a wrong length) are left out.
    """
    ids: list[pa.Array] = []
    counts: list[Array] = [np.zeros(0, np.int64)]
    for batch in map(_usable, batches()):
        ids.append(batch["clip_id"])
        counts.append(_lengths(batch["changes"]) // NUM_INSTANT)
    clip_ids = pa.concat_arrays(ids) if ids else pa.array([], pa.string())
    order = np.asarray(pc.sort_indices(clip_ids))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    begins = np.concatenate([[0], np.cumsum(np.concatenate(counts)[order])]).astype(np.int64)
    num = len(place)
    loaded = Fingerprints(
        clip_ids=clip_ids.take(pa.array(order)),
        content=np.zeros(num, np.uint64),
        interval_s=np.zeros(num),
        begins=begins,
        pictures=np.zeros((num, NUM_PICTURE), np.float16),
        changes=np.zeros((int(begins[-1]), NUM_INSTANT), np.int8),
        change_step=np.zeros(num, np.float32),
    )
    first = 0
    for batch in map(_usable, batches()):
        _put(batch, place[first : first + len(batch)], loaded)
        first += len(batch)
    return loaded


def _usable(batch: pa.RecordBatch) -> pa.RecordBatch:
    lengths = pc.fill_null(pc.binary_length(batch["changes"]), 0)
    fits = pc.equal(pc.binary_length(batch["picture"]), 2 * NUM_PICTURE)
    whole = pa.array((np.asarray(lengths) > 0) & (np.asarray(lengths) % NUM_INSTANT == 0))
    named = pc.equal(pc.utf8_length(batch["content"]), 2 * _CONTENT_BYTES)
    timed = pc.and_(pc.greater(batch["interval_s"], 0), pc.greater(batch["change_step"], 0))
    usable = pc.and_(pc.and_(fits, whole), pc.and_(named, timed))
    return batch.filter(pc.and_(usable, pc.is_valid(batch["clip_id"])))


def _put(batch: pa.RecordBatch, places: Array, into: Fingerprints) -> None:
    into.interval_s[places] = np.asarray(batch["interval_s"])
    into.change_step[places] = np.asarray(batch["change_step"])
    into.pictures[places] = np.nan_to_num(_bytes(batch["picture"]).view("<f2").reshape(len(batch), NUM_PICTURE))
    into.content[places] = [int(content, 16) for content in batch["content"].to_pylist()]
    counts = _lengths(batch["changes"]) // NUM_INSTANT
    # Where each instant of the batch goes: to its clip's beginning, plus its number in the clip.
    within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = np.repeat(into.begins[places], counts) + within
    into.changes[rows] = _bytes(batch["changes"]).view(np.int8).reshape(-1, NUM_INSTANT)


def _lengths(column: pa.Array) -> Array:
    return np.asarray(pc.binary_length(column), np.int64)


def _bytes(column: pa.Array) -> Array:
    """The values of a binary column, one after the other; it holds no null."""
    joined = pa.concat_arrays([column])
    _, ends, values = joined.buffers()
    if values is None:
        return np.zeros(0, np.uint8)
    offsets = np.frombuffer(ends, np.int32)[joined.offset : joined.offset + len(joined) + 1]
    return np.frombuffer(values, np.uint8)[offsets[0] : offsets[-1]].copy()
