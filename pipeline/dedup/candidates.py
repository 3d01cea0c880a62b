"""Pairs of clips that are worth comparing: some second of one looks like some second of the other.

A key stands for a second of a clip: the mean picture of that time in coefficients so low that a crop moves them
little, of unit length. The sign of odd horizontal frequencies is taken off, so that mirrored pictures meet. Keys are
found by an index; of those that meet, the ones stay whose difference a crop could explain.
"""

# K keys, D coefficients of a key

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import numpy.typing as npt

from pipeline.dedup.fingerprint import LAYOUT, MIRROR, NUM_INSTANT
from pipeline.dedup.store import Fingerprints

if TYPE_CHECKING:
    import faiss

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

_WINDOW_S: Final = 1.5
_HOP_S: Final = 1.0
"""A key is a mean over a second and a half, and there is one a second: of a clip that begins anywhere inside another,
each key lies within half a second of one of the other's."""
_ORDER: Final = 6
_FLAT_LEVELS: Final = 4.0
"""Length of a key below which its picture shows nothing to compare: plain ground, black, a faint gradient."""
_SAME: Final = 0.998
"""Keys of one clip that are so similar to its first are left out: a still clip has one key, not ten."""
_NEIGHBOURS: Final = 16
_NEIGHBOURS_EXACT: Final = 100
"""Keys that a key meets at most. Where more clips show the same, the others are met through each other."""
_MIN_COSINE: Final = 0.84
"""Copies of real footage meet with 0.89 and more, a crop of a tenth among them; of strangers that meet every second one
lies below."""
EXACT_KEYS: Final = 20_000
"""Up to so many keys are compared each with each."""
_TRAINED_KEYS: Final = 40
"""Keys that a cell of the index is trained with."""
_PROBES: Final = 12
"""Cells in which a key is looked for."""
_BLOCK: Final = 65_536
_SEED: Final = 20

_USED = np.array(
    [k for k, (p, v, u) in enumerate(LAYOUT[:NUM_INSTANT]) if (p, v, u) != (0, 0, 0) and (p or v + u < _ORDER)]
)
_ODD = MIRROR[_USED] < 0


@dataclass(frozen=True, slots=True)
class Candidates:
    """Pairs of clips, each once, by their places among the fingerprints."""

    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    """Greater than `first`."""
    similarity: Floats
    """The best cosine between any two of their keys."""


@dataclass(frozen=True, slots=True)
class _Keys:
    """Keys of some clips."""

    vectors: npt.NDArray[np.float16]
    """(K, D): unit length, odd frequencies without their sign."""
    clips: npt.NDArray[np.int32]
    """(K,), ascending."""


def find_candidates(fingerprints: Fingerprints, clips: Array, *, exact_keys: int = EXACT_KEYS) -> Candidates:
    """Pairs among some clips, in ascending order.

    Args:
        fingerprints: All that are known.
        clips: Places of those to be looked at, ascending.
        exact_keys: Up to so many keys are compared each with each.
    """
    keys = _all_keys(fingerprints, clips)
    if not len(keys.clips):
        none = np.zeros(0, np.int64)
        return Candidates(none, none, none.astype(np.float32))
    is_exact = len(keys.clips) <= exact_keys
    index = _flat(keys) if is_exact else _inverted(keys)
    count = min(_NEIGHBOURS_EXACT if is_exact else _NEIGHBOURS, len(keys.clips))
    codes: list[Array] = []
    cosines: list[Array] = []
    for begin in range(0, len(keys.clips), _BLOCK):
        block = keys.vectors[begin : begin + _BLOCK].astype(np.float32)
        found, neighbours = index.search(block, count)
        code, cosine = _pairs(keys.clips[begin : begin + len(block)], keys.clips[neighbours], found, neighbours >= 0)
        codes.append(code)
        cosines.append(cosine)
    code, cosine = _best(np.concatenate(codes), np.concatenate(cosines))
    return Candidates(code >> 32, code & 0xFFFFFFFF, cosine)


def _all_keys(fingerprints: Fingerprints, clips: Array) -> _Keys:
    vectors = [np.zeros((0, len(_USED)), np.float16)]
    owners = [np.zeros(0, np.int32)]
    for begin in range(0, len(clips), _BLOCK):
        some = clips[begin : begin + _BLOCK]
        block, owner = _keys_of(fingerprints, some)
        vectors.append(block.astype(np.float16))
        owners.append(some[owner].astype(np.int32))
    return _Keys(np.concatenate(vectors), np.concatenate(owners))


def _keys_of(fingerprints: Fingerprints, clips: Array) -> tuple[Floats, Array]:
    """Keys of some clips, and to which of them each belongs."""
    counts = fingerprints.num_instants[clips]
    interval_s = fingerprints.interval_s[clips]
    begins = np.cumsum(counts) - counts
    rows = np.repeat(fingerprints.begins[clips] - begins, counts) + np.arange(int(counts.sum()))
    sums = np.zeros((len(rows) + 1, len(_USED)), np.int32)
    np.cumsum(fingerprints.changes[rows][:, _USED], axis=0, dtype=np.int32, out=sums[1:])
    width = np.clip(np.rint(_WINDOW_S / interval_s).astype(np.int64), 1, counts)
    hop = np.maximum(1, np.rint(_HOP_S / interval_s).astype(np.int64))
    num = -(-(counts - width) // hop) + 1
    owner = np.repeat(np.arange(len(clips)), num)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(num) - num, num)
    start = begins[owner] + np.minimum(number * hop[owner], (counts - width)[owner])
    scale = fingerprints.change_step[clips] / width
    pictures = fingerprints.pictures[clips][:, _USED].astype(np.float32)
    keys = (sums[start + width[owner]] - sums[start]) * scale[owner, None].astype(np.float32) + pictures[owner]
    keys[:, _ODD] = np.abs(keys[:, _ODD])
    length = np.linalg.norm(keys, axis=1)
    keys /= np.maximum(length, 1e-3)[:, None]
    first = keys[np.repeat(np.cumsum(num) - num, num)]
    is_new = (number == 0) | (np.einsum("kd,kd->k", keys, first) < _SAME)
    kept = is_new & (length >= _FLAT_LEVELS)
    return keys[kept], owner[kept]


def _flat(keys: _Keys) -> faiss.Index:
    import faiss

    flat = faiss.IndexFlatIP(keys.vectors.shape[1])
    for begin in range(0, len(keys.clips), _BLOCK):
        flat.add(keys.vectors[begin : begin + _BLOCK].astype(np.float32))
    return flat


def _inverted(keys: _Keys) -> faiss.Index:
    import faiss

    num, width = keys.vectors.shape
    num_cells = int(2 ** np.round(np.log2(4 * np.sqrt(num))))
    inverted = cast(faiss.IndexIVF, faiss.index_factory(width, f"IVF{num_cells},SQfp16", faiss.METRIC_INNER_PRODUCT))
    inverted.cp.seed = _SEED
    inverted.cp.niter = 8
    rng = np.random.default_rng(_SEED)
    sample = np.sort(rng.choice(num, min(num, _TRAINED_KEYS * num_cells), replace=False))
    inverted.train(keys.vectors[sample].astype(np.float32))
    for begin in range(0, num, _BLOCK):
        inverted.add(keys.vectors[begin : begin + _BLOCK].astype(np.float32))
    inverted.nprobe = _PROBES
    return inverted


def _pairs(own: Array, other: Array, cosine: Array, is_found: Array) -> tuple[Array, Array]:
    """Pairs of different clips that are similar enough, as one number each: first clip times 2**32 plus second."""
    own = np.broadcast_to(own[:, None], other.shape).astype(np.int64)
    close = is_found & (own != other) & (cosine >= _MIN_COSINE)
    own, other = own[close], other[close].astype(np.int64)
    return _best((np.minimum(own, other) << 32) | np.maximum(own, other), cosine[close])


def _best(code: Array, cosine: Array) -> tuple[Array, Array]:
    """Each pair once, with its best cosine."""
    order = np.lexsort((-cosine, code))
    code, cosine = code[order], cosine[order]
    is_first = np.ones(len(code), np.bool_)
    is_first[1:] = code[1:] != code[:-1]
    return code[is_first], cosine[is_first]
