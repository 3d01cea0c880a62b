"""Where one clip lies in another: the offset and the speed at which their instants look most alike, pair by pair.

Everything is done for many pairs at once, in arrays padded to the longest clip. The instants of the second clip are
taken between its samples where need be; what all hypotheses are judged by comes from one matrix of distances a pair.
"""

# P pairs, K instants of the first clip, M of the second, H hypotheses, D coefficients

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

_SPEEDS: Final = (0.93, 1.0, 1.07)
_SHORT_S: Final = 3.0
"""Clips up to this begin with one speed: a tenth more or less shifts their ends by hardly more than half a step."""
_STEP_S: Final = 0.25
_FINER: Final = ((0.02, 0.09), (0.01, 0.03))
"""Steps of speed and of seconds in which the best of the first hypotheses is refined, one after the other."""
_SLOWEST, _FASTEST = 0.9, 1.1
_NOISE: Final = 1.0
"""Squared levels by which equal pictures may differ; keeps the choice among still pictures to the overlap."""


@dataclass(frozen=True, slots=True)
class Sequences:
    """One clip of each pair."""

    values: Floats
    """(P, K, D): coefficients of its instants, in levels; anything beyond its end."""
    counts: Array
    """(P,): how many instants it has."""
    interval_s: Array
    """(P,): seconds an instant."""

    @property
    def duration_s(self) -> Array:
        """(P,), in seconds."""
        return np.asarray(self.counts * self.interval_s)


@dataclass(frozen=True, slots=True)
class Alignment:
    """How the first clip of each pair lies in the second."""

    middle_s: Array
    """(P,): the moment of the second clip at which the middle of the first one lies."""
    speed: Array
    """(P,): seconds of the second clip in a second of the first."""
    inside: npt.NDArray[np.bool_]
    """(P, K): which instants of the first clip lie within the second."""
    second: Floats
    """(P, K, D): what the second clip shows at the instants of the first."""

    @property
    def num_inside(self) -> Array:
        """(P,)."""
        return np.asarray(self.inside.sum(axis=1))


def align(first: Sequences, second: Sequences, compared: slice, *, relative: bool = False) -> Alignment:
    """Find where the first clips lie in the second ones, which are no shorter; at least with their middle.

    Args:
        first: The clips to be found.
        second: Where to find them.
        compared: The coefficients that count.
        relative: Judge differences relative to what there is: else what is empty in both fits best.
    """
    search = _Search(first, second, compared, relative)
    best_middle, best_speed = search.roughly()
    by_speed, by_time = (grid.ravel() for grid in np.meshgrid(np.arange(-2, 3), np.arange(-2, 3), indexing="ij"))
    for speed_step, time_step in _FINER:
        speed = np.clip(best_speed[:, None] + by_speed * speed_step, _SLOWEST, _FASTEST)
        best_middle, best_speed = search.best(best_middle[:, None] + by_time * time_step, speed)
    place, inside = search.places(best_middle[:, None], best_speed[:, None])
    low, share = _between(place[:, 0], second.counts[:, None])
    pair = np.arange(len(low))[:, None]
    high = np.minimum(low + 1, second.counts[:, None] - 1)
    shown = second.values[pair, low] * (1 - share)[..., None] + second.values[pair, high] * share[..., None]
    return Alignment(best_middle, best_speed, inside[:, 0], shown)


class _Search:
    """Compares hypotheses of some pairs by the squared distances of their instants."""

    def __init__(self, first: Sequences, second: Sequences, compared: slice, relative: bool) -> None:
        self._first, self._second = first, second
        mine, theirs = first.values[..., compared], second.values[..., compared]
        own, other = np.einsum("pkd,pkd->pk", mine, mine), np.einsum("pmd,pmd->pm", theirs, theirs)
        products = mine @ theirs.transpose(0, 2, 1)
        self._norms: tuple[Array, Array] | None = (own, other) if relative else None
        self._distances = own[:, :, None] + other[:, None] - 2 * products
        steps = np.diff(theirs, axis=1)
        self._steps = np.pad(np.einsum("pmd,pmd->pm", steps, steps), ((0, 0), (0, 1)))
        number = np.arange(first.values.shape[1])
        self._real = number < first.counts[:, None]
        self._from_middle_s = ((number + 0.5) * first.interval_s[:, None] - first.duration_s[:, None] / 2).astype("f4")

    def places(self, middle_s: Array, speed: Array) -> tuple[Array, Array]:
        """At which sample of the second clip each instant of the first lies, and whether within it, (P, H, K)."""
        rate = np.float32(1) / self._second.interval_s.astype(np.float32)[:, None]
        begin = (middle_s * rate - 0.5).astype(np.float32)
        pace = (speed * rate).astype(np.float32)
        place = begin[..., None] + pace[..., None] * self._from_middle_s[:, None]
        inside = (place >= -0.5) & (place <= self._second.counts.astype(np.float32)[:, None, None] - 0.5)
        inside &= self._real[:, None]
        return place, inside

    def roughly(self) -> tuple[Array, Array]:
        """The best of hypotheses a quarter of a second apart, by the samples next to each instant."""
        first_s, second_s = self._first.duration_s, self._second.duration_s
        count = int(np.ceil(second_s.max(initial=0.0) / _STEP_S)) + 1
        speeds = np.asarray(_SPEEDS if first_s.max(initial=0.0) > _SHORT_S else _SPEEDS[1:2])
        middle = np.tile(np.linspace(0, 1, count) * second_s[:, None], len(speeds))
        speed = np.broadcast_to(np.repeat(speeds, count), middle.shape)
        # The very beginning and the very end are where a trimmed copy most often lies.
        ends = np.stack([first_s / 2, second_s - first_s / 2, second_s / 2], axis=1)
        middle = np.concatenate([middle, ends], axis=1)
        speed = np.concatenate([speed, np.ones_like(ends)], axis=1)
        place, inside = self.places(middle, speed)
        nearest = np.clip(np.rint(place), 0, self._second.counts[:, None, None] - 1).astype(np.int32)
        return self._chosen(middle, speed, self._at(nearest), inside, nearest)

    def best(self, middle_s: Array, speed: Array) -> tuple[Array, Array]:
        """The best hypothesis of each pair, by what lies between samples."""
        place, inside = self.places(middle_s, speed)
        low, share = _between(place, self._second.counts[:, None, None])
        high = np.minimum(low + 1, self._second.counts[:, None, None] - 1)
        bend = np.take_along_axis(self._steps, low.reshape(len(low), -1), axis=1).reshape(low.shape)
        # The squared distance to a point between two others.
        squares = (1 - share) * self._at(low) + share * self._at(high) - share * (1 - share) * bend
        return self._chosen(middle_s, speed, squares, inside, np.where(share < 0.5, low, high))

    def _at(self, samples: Array) -> Floats:
        num_pairs, num_rows, num_columns = self._distances.shape
        base = (np.arange(num_pairs)[:, None] * num_rows + np.arange(num_rows)) * num_columns
        return np.asarray(self._distances.ravel().take(samples + base[:, None].astype(np.int64)))

    def _chosen(
        self, middle_s: Array, speed: Array, squares: Floats, inside: Array, samples: Array
    ) -> tuple[Array, Array]:
        num = inside.sum(axis=2)
        cost = np.maximum((squares * inside).sum(axis=2), 0) + _NOISE * num
        if self._norms is None:
            cost /= np.maximum(num, 1)
        else:
            own, other = self._norms
            other = np.take_along_axis(other, samples.reshape(len(samples), -1), axis=1).reshape(samples.shape)
            cost /= ((own[:, None] + other) * inside).sum(axis=2) + _NOISE * np.maximum(num, 1)
        overlap = num / self._first.counts[:, None]
        cost = np.where(num > 0, cost / np.sqrt(np.maximum(overlap, 1e-6)), np.inf)
        # Of equals the first.
        chosen = cost.argmin(axis=1)
        every = np.arange(len(cost))
        return middle_s[every, chosen], speed[every, chosen]


def _between(place: Array, counts: Array) -> tuple[Array, Floats]:
    """The sample before each place, and how far the place lies towards the next."""
    clipped = np.clip(place, 0, np.maximum(counts - 1, 0)).astype(np.float32)
    low = clipped.astype(np.int32)
    return low, clipped - low
