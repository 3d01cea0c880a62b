"""Perceptual duplicates: which clips show the same, whatever was done to their files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from pipeline.dedup.candidates import Candidates, find_candidates
from pipeline.dedup.comparison import Comparison, compare
from pipeline.dedup.store import Fingerprints
from schemas.config import Config

Array = npt.NDArray[Any]

PAIRS: Final = pa.schema(
    [
        ("clip_id", pa.string()),
        ("other_id", pa.string()),
        ("similarity", pa.float64()),
        ("method", pa.string()),
        ("offset_s", pa.float64()),
        ("speed", pa.float64()),
        ("share", pa.float64()),
        ("other_share", pa.float64()),
    ]
)
"""One row a pair. `offset_s` is the moment of the other clip at which the clip begins, `speed` the seconds of the other
in one of the clip; `share` is how much of the clip lies within the other, `other_share` the reverse, 0 to 1."""

_LENGTHS_AGREE: Final = 0.02
"""Relative difference of length up to which equal pictures are the same footage at the same speed."""
_BLOCK_CELLS: Final = 6_000_000
"""Numbers that one array of a block of pairs holds at most."""
_MAX_BLOCK: Final = 512


class PerceptualConfig(Config):
    """When two clips show the same."""

    min_similarity: float = Field(0.8, ge=0.5, le=1, allow_inf_nan=False)
    """Least agreement of what changes in the two clips, and of how it moves, 1 for equals: takes of one gesture before
    one background reach 0.7, copies keep 0.85 and more."""
    min_still_similarity: float = Field(0.93, ge=0.5, le=1, allow_inf_nan=False)
    """Least agreement of their mean pictures: 0.93 leaves room for a crop of a tenth."""
    min_overlap: float = Field(0.5, ge=0.1, le=1, allow_inf_nan=False)
    """Least share of the shorter clip that lies within the longer one."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """How the clips of pairs lie over each other, (P,) each."""

    share: Array
    """Of the first clip, how much lies within the second."""
    other_share: Array
    """Of the second clip, how much lies within the first."""


def find_perceptual(fingerprints: Fingerprints, config: PerceptualConfig) -> pa.Table:
    """All pairs of clips that show the same, exact ones included, as a table of `PAIRS` in the order of their ids."""
    leader = exact_leaders(fingerprints)
    copies = np.flatnonzero(leader != np.arange(len(leader)))
    tables = [_exact_pairs(fingerprints, copies, leader[copies])]
    candidates = find_candidates(fingerprints, np.flatnonzero(leader == np.arange(len(leader))))
    tables.append(accepted_pairs(fingerprints, candidates, config))
    return pa.concat_tables(tables).sort_by([("clip_id", "ascending"), ("other_id", "ascending")])


def accepted_pairs(fingerprints: Fingerprints, candidates: Candidates, config: PerceptualConfig) -> pa.Table:
    """Those of the candidates that show the same."""
    is_longer = fingerprints.duration_s[candidates.first] > fingerprints.duration_s[candidates.second]
    first = np.where(is_longer, candidates.second, candidates.first)
    second = np.where(is_longer, candidates.first, candidates.second)
    # A picture is compared with pictures: a moment of a video that looks like it is no copy of it.
    counts = fingerprints.num_instants
    alike = (counts[first] == 1) == (counts[second] == 1)
    first, second, ways = first[alike], second[alike], candidates.ways[alike]

    def accepted(block: Array) -> pa.Table:
        found = compare(fingerprints, first[block], second[block], ways[block])
        return _accepted(fingerprints, first[block], second[block], found, config)

    # NumPy lets go of Python's lock in what takes longest.
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return pa.concat_tables([PAIRS.empty_table(), *threads.map(accepted, _blocks(counts[first], counts[second]))])


def exact_leaders(fingerprints: Fingerprints) -> npt.NDArray[np.int64]:
    """For each clip the first one with the very same pictures and the same length; itself where there is none."""
    duration_s = fingerprints.duration_s
    order = np.lexsort((np.arange(len(fingerprints)), duration_s, fingerprints.content))
    content, sorted_s = fingerprints.content[order], duration_s[order]
    is_new = np.ones(len(order), np.bool_)
    # Against the one before: rounding of a clock spreads lengths by far less than the allowance.
    is_new[1:] = (content[1:] != content[:-1]) | (sorted_s[1:] > sorted_s[:-1] * (1 + _LENGTHS_AGREE))
    group = np.cumsum(is_new) - 1
    smallest = np.full(int(group[-1]) + 1 if len(group) else 0, len(order), np.int64)
    np.minimum.at(smallest, group, order)
    leader = np.empty(len(order), np.int64)
    leader[order] = smallest[group]
    return leader


def _exact_pairs(fingerprints: Fingerprints, copies: Array, leaders: Array) -> pa.Table:
    ones = np.ones(len(copies))
    return _table(fingerprints, copies, leaders, "exact", ones, 0 * ones, ones, Overlap(ones, ones))


def _blocks(first: Array, second: Array) -> Iterator[Array]:
    """Pairs of about equal lengths, as many at once as arrays may be large."""
    order = np.lexsort((np.arange(len(first)), first, second))
    begin = 0
    while begin < len(order):
        longest = int(second[order[min(begin + _MAX_BLOCK, len(order)) - 1]])
        size = min(_MAX_BLOCK, max(1, _BLOCK_CELLS // (longest * longest * 12)))
        yield order[begin : begin + size]
        begin += size


def overlap(first_s: Array, second_s: Array, begin_s: Array, speed: Array) -> Overlap:
    """Shares of clips of these lengths when the first begins at a moment of the second and lasts at a speed."""
    end_s = begin_s + speed * first_s
    common_s = np.maximum(np.minimum(end_s, second_s) - np.maximum(begin_s, 0), 0)
    return Overlap(np.minimum(common_s / (speed * first_s), 1), np.minimum(common_s / second_s, 1))


def _accepted(
    fingerprints: Fingerprints, first: Array, second: Array, found: Comparison, config: PerceptualConfig
) -> pa.Table:
    similarity = np.minimum(found.still, found.change)
    shares = overlap(fingerprints.duration_s[first], fingerprints.duration_s[second], found.begin_s, found.speed)
    # Where little moves, the still parts are all there is to go by.
    moving = np.clip((found.moving - _RESTING) / (_MOVING - _RESTING), 0, 1)
    least = config.min_still_similarity
    needed = least + np.maximum(_RESTING_SIMILARITY - least, 0) * (1 - moving)
    accepted = np.flatnonzero(
        (found.still >= needed)
        & (found.change >= config.min_similarity)
        & (found.texture >= MIN_TEXTURE)
        & ((found.eventful >= _MIN_EVENTFUL) | (np.maximum(shares.share, shares.other_share) >= _WHOLE))
        & (np.maximum(shares.share, shares.other_share) >= config.min_overlap)
    )
    return _table(
        fingerprints,
        first[accepted],
        second[accepted],
        "perceptual",
        similarity[accepted],
        found.begin_s[accepted],
        found.speed[accepted],
        Overlap(shares.share[accepted], shares.other_share[accepted]),
    )


_RESTING, _MOVING = 0.8, 1.6
"""Levels of movement: below the first there is none but noise, from the second on it counts as such."""
_RESTING_SIMILARITY: Final = 0.97
"""What the still parts of clips without movement agree by at least: copies do by 0.985, a crop of a tenth included."""
_MIN_EVENTFUL: Final = 0.3
"""Of the first clip's changes, as squares, at least so many in what is common: an empty room looks the same at any
time, which makes no copies of clips in which somebody walks through it."""
_WHOLE: Final = 0.75
"""Share of a clip within the other from which on that is not asked."""
MIN_TEXTURE: Final = 4.0
"""Levels of texture below which a clip shows nothing to compare: black, plain ground. Dim rooms have 4 to 8; there the
pictures of copies agree by 0.97 and more, those of strangers by less than 0.75."""


def _table(
    fingerprints: Fingerprints,
    first: Array,
    second: Array,
    method: str,
    similarity: Array,
    offset_s: Array,
    speed: Array,
    shares: Overlap,
) -> pa.Table:
    return pa.table(
        [
            fingerprints.clip_ids.take(pa.array(first)),
            fingerprints.clip_ids.take(pa.array(second)),
            pa.array(np.round(np.clip(similarity, 0, 1), 4)),
            pa.repeat(pa.scalar(method), len(first)),
            pa.array(np.round(offset_s, 3)),
            pa.array(np.round(speed, 3)),
            pa.array(shares.share),
            pa.array(shares.other_share),
        ],
        schema=PAIRS,
    )
