"""Pairs of clips that are worth comparing: some second of one looks like some second of the other.

A key stands for a second of a clip: the mean picture of that time in coefficients so low that a crop moves them
little, of unit length. The index sees keys without the sign of odd horizontal frequencies, so that mirrored pictures
meet. Of those that meet, the ones stay that are alike with their signs, as they are or mirrored: strangers rarely are.
"""

# K keys, D coefficients of a key, Q pairs of keys

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

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
STRAIGHT: Final = 1
MIRRORED: Final = 2
"""Bits of the ways in which a pair is alike."""
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
_INDEX_WIDTH = -(-len(_USED) // 16) * 16
"""Numbers of a key in the index: of half precision, multiples of 16 are compared seven times as fast as others."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Pairs of clips, each once, by their places among the fingerprints."""

    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    """Greater than `first`."""
    similarity: Floats
    """The best cosine between any two of their keys."""
    ways: npt.NDArray[np.uint8]
    """As they are or mirrored, or both: the sum of `STRAIGHT` and `MIRRORED`."""


@dataclass(frozen=True, slots=True)
class _Keys:
    """Keys of some clips."""

    vectors: npt.NDArray[np.float16]
    """(K, D): unit length."""
    clips: npt.NDArray[np.int32]
    """(K,), ascending."""

    def unsigned(self, begin: int, end: int) -> Floats:
        """Some of them as the index sees them, with zeros behind."""
        some = self.vectors[begin:end]
        vectors = np.zeros((len(some), _INDEX_WIDTH), np.float32)
        vectors[:, : some.shape[1]] = some
        odd = np.flatnonzero(_ODD)
        vectors[:, odd] = np.abs(vectors[:, odd])
        return vectors

    def cosines(self, one: Array, other: Array) -> tuple[Floats, Floats]:
        """Of pairs of keys, (Q,): as they are, and with one of each pair mirrored."""
        products = self.vectors[one].astype(np.float32) * self.vectors[other]
        odd = products[:, _ODD].sum(axis=1)
        even = products[:, ~_ODD].sum(axis=1)
        return even + odd, even - odd


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
        return Candidates(none, none, none.astype(np.float32), none.astype(np.uint8))
    is_exact = len(keys.clips) <= exact_keys
    index = _flat(keys) if is_exact else _inverted(keys)
    count = min(_NEIGHBOURS_EXACT if is_exact else _NEIGHBOURS, len(keys.clips))
    blocks = []
    for begin in range(0, len(keys.clips), _BLOCK):
        cosines, neighbours = index.search(keys.unsigned(begin, begin + _BLOCK), count)
        own, column = np.nonzero((neighbours >= 0) & (cosines >= _MIN_COSINE))
        blocks.append(_pairs(keys, own + begin, neighbours[own, column]))
    pairs = _merged(*(np.concatenate(parts) for parts in zip(*blocks, strict=True)))
    return Candidates(pairs.code >> 32, pairs.code & 0xFFFFFFFF, pairs.cosine, pairs.ways)


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
    length = np.linalg.norm(keys, axis=1)
    keys /= np.maximum(length, 1e-3)[:, None]
    first = keys[np.repeat(np.cumsum(num) - num, num)]
    is_new = (number == 0) | (np.einsum("kd,kd->k", keys, first) < _SAME)
    kept = is_new & (length >= _FLAT_LEVELS)
    return keys[kept], owner[kept]


def _flat(keys: _Keys) -> faiss.Index:
    import faiss

    flat = faiss.IndexFlatIP(_INDEX_WIDTH)
    for begin in range(0, len(keys.clips), _BLOCK):
        flat.add(keys.unsigned(begin, begin + _BLOCK))
    return flat


def _inverted(keys: _Keys) -> faiss.Index:
    import faiss

    num = len(keys.vectors)
    num_cells = int(2 ** np.round(np.log2(4 * np.sqrt(num))))
    inverted = cast(
        faiss.IndexIVF, faiss.index_factory(_INDEX_WIDTH, f"IVF{num_cells},SQfp16", faiss.METRIC_INNER_PRODUCT)
    )
    inverted.cp.seed = _SEED
    inverted.cp.niter = 8
    rng = np.random.default_rng(_SEED)
    sample = np.sort(rng.choice(num, min(num, _TRAINED_KEYS * num_cells), replace=False))
    inverted.train(_Keys(keys.vectors[sample], keys.clips[sample]).unsigned(0, len(sample)))
    for begin in range(0, num, _BLOCK):
        inverted.add(keys.unsigned(begin, begin + _BLOCK))
    inverted.nprobe = _PROBES
    return inverted


class _Pairs(NamedTuple):
    """Pairs of clips, each once, in ascending order."""

    code: npt.NDArray[np.int64]
    """The first clip times 2**32 plus the second."""
    cosine: Floats
    ways: npt.NDArray[np.uint8]


def _pairs(keys: _Keys, one: Array, other: Array) -> _Pairs:
    """The different clips of pairs of keys that are alike with their signs."""
    differ = keys.clips[one] != keys.clips[other]
    one, other = one[differ], other[differ]
    straight, mirrored = keys.cosines(one, other)
    cosine = np.maximum(straight, mirrored)
    ways = STRAIGHT * (straight >= _MIN_COSINE) + MIRRORED * (mirrored >= _MIN_COSINE)
    alike = ways > 0
    clips = np.sort(np.stack([keys.clips[one[alike]], keys.clips[other[alike]]]).astype(np.int64), axis=0)
    return _merged(clips[0] << 32 | clips[1], cosine[alike], ways[alike].astype(np.uint8))


def _merged(code: Array, cosine: Array, ways: Array) -> _Pairs:
    """Each pair once, with its best cosine and all its ways."""
    if not len(code):
        return _Pairs(code, cosine, ways)
    order = np.argsort(code, kind="stable")
    code, cosine, ways = code[order], cosine[order], ways[order]
    begins = np.flatnonzero(np.diff(code, prepend=-1))
    return _Pairs(code[begins], np.maximum.reduceat(cosine, begins), np.bitwise_or.reduceat(ways, begins))
