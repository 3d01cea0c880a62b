"""Random numbers that depend on names alone: a sample draws the same whatever else is in the dataset or the run.

A draw is a hash of (sample, what it is for), so it needs no state: not the order in which samples come, not the number
of ranks, not what was drawn before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from schemas import digest

Hashes = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]

_HEX_DIGITS = 16
"""Of an id: 64 bits."""
_MANTISSA_BITS = 53


def hashes_of(ids: Sequence[str]) -> Hashes:
    """64 bits of each id, uint64 (N,).

    Args:
        ids: Hexadecimal digests, at least 16 digits each.

    Raises:
        ValueError: One is not hexadecimal, or is shorter.
    """
    if any(len(name) < _HEX_DIGITS for name in ids):
        raise ValueError(f"an id has at least {_HEX_DIGITS} hexadecimal digits")
    return np.frombuffer(bytes.fromhex("".join(name[:_HEX_DIGITS] for name in ids)), ">u8").astype(np.uint64)


def bits(hashes: Hashes, *purpose: object) -> Hashes:
    """64 even bits a sample, uint64 (N,): a hash of the sample and of the purpose.

    Args:
        hashes: Of the samples.
        purpose: What the draw is for, as `seed, epoch, "order"`; JSON-like.
    """
    key = np.uint64(int(digest(list(purpose))[:_HEX_DIGITS], 16))
    return _mixed(_mixed(hashes ^ key) + key)


def uniforms(hashes: Hashes, *purpose: object) -> Floats:
    """Numbers evenly in [0, 1), float64 (N,)."""
    drawn: Floats = (bits(hashes, *purpose) >> np.uint64(64 - _MANTISSA_BITS)).astype(np.float64) / 2.0**_MANTISSA_BITS
    return drawn


def _mixed(values: Hashes) -> Hashes:
    """Spread every bit over all.

    Source: Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators": the finalizer of SplitMix64.
    """
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
