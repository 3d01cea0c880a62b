"""The objects of a video: patches linked over time, each with its colour, its shape and its way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from infra.demo.vocabulary import SHAPES
from infra.evaluate.blobs import VIVID_SHARE, Blob, Picture, find_blobs
from infra.evaluate.color import NAMES
from infra.evaluate.shape import Mask, shape_scores

SHORT_SIDE = 160
"""Of the working picture, in pixels: the smallest object is then 17 high."""
_LEAST_FIT = 0.42
"""Of a patch that is followed."""
_LEAST_MEAN_FIT, _LEAST_AGREEMENT = 0.6, 0.78
"""Of an object: the mean over its patches, and what its mean mask has in common with some shape."""
_LEAST_CUT_FIT, _LEAST_CUT_PX = 0.75, 18.0
"""Of one that the picture's edge always cuts: a brick cut there is like a square."""
_LEAST_FRAMES_SHARE = 0.2
_LEAST_CONTRAST = 0.2
"""Distance in colour from what is around an object, over its own length."""
_OF_WALLS = ("brown", "white")
"""Colours that walls and floors nearly have."""
_LEAST_SOFT_FIT, _LEAST_SOFT_AGREEMENT, _LEAST_SOFT_SHARE = 0.45, 0.55, 0.4
"""Of a patch of a vivid colour: what blurs a shape away leaves that there is something, and where."""
_PATTERN = 5
"""So many patches alike are the pattern of a wall."""
_SAME_SIZE, _SAME_BRIGHTNESS = 1.5, 1.2
"""Of patches that are alike, the larger over the smaller."""
_REACH = 0.25
"""How far an object may be from where it was expected, in shorter sides of the picture."""
_TURN_DEG = 7.0
"""How far its colour may turn from one picture to the next."""
_SOFT = 2.0
"""So many times as far for a soft patch."""
_GROWTH = 0.45
"""How far the logarithm of its size may change."""


@dataclass(frozen=True, eq=False)
class Seen:
    """An object that was followed."""

    blobs: tuple[Blob, ...]
    """In order of time; frames in which it was not found are left out."""
    color: str
    """The one that agrees best over all frames."""
    shape: str
    """The one that agrees best with the mean mask."""
    agreement: float
    """Of the mean mask with that shape, 0 to 1."""

    @classmethod
    def of(cls, blobs: Sequence[Blob]) -> Seen:
        """Name what was followed."""
        colors = weighted(blobs, [blob.colors for blob in blobs])
        scores = mean_agreement(blobs)
        best = int(scores.argmax())
        return cls(tuple(blobs), NAMES[int(colors.argmin())], SHAPES[best], float(scores[best]))

    @cached_property
    def frames(self) -> npt.NDArray[np.int64]:
        """The numbers of the frames, (N,)."""
        return np.array([blob.frame for blob in self.blobs])

    @cached_property
    def places(self) -> npt.NDArray[np.float64]:
        """Its middle in each of them, in pixels of the working picture, (N, 2)."""
        return np.array([(blob.x, blob.y) for blob in self.blobs])

    @cached_property
    def sizes(self) -> npt.NDArray[np.float64]:
        """The square roots of its areas, (N,)."""
        return np.array([blob.size for blob in self.blobs])

    @cached_property
    def brightness(self) -> float:
        """The middle length of its colour."""
        return float(np.median([np.linalg.norm(blob.rgb) for blob in self.blobs]))

    def prominence(self) -> float:
        """How much it draws the eye: its size, how long and how surely it is seen."""
        return float(sum(blob.size * blob.fit * min(blob.contrast, 0.5) for blob in self.blobs))

    def is_object(self, num_frames: int) -> bool:
        """Whether it is like a thing of the world, and not a patch of the background of a video of so many frames."""
        # What is bitten was whole before.
        early = self.blobs[: max(1, len(self.blobs) // 2)]
        mean_fit = max(float(np.mean([blob.fit for blob in part])) for part in (self.blobs, early))
        agreement = max(self.agreement, float(mean_agreement(early).max()))
        faces = np.array([blob.rgb for blob in self.blobs])
        contrast = float(np.mean([blob.contrast for blob in self.blobs]))
        if contrast < _LEAST_CONTRAST:
            return False
        is_vivid = self.color not in _OF_WALLS and np.median(faces.min(axis=1) / faces.max(axis=1)) < VIVID_SHARE
        if is_vivid and len(self.blobs) >= _LEAST_SOFT_SHARE * num_frames:
            return mean_fit >= _LEAST_SOFT_FIT and agreement >= _LEAST_SOFT_AGREEMENT
        if self.is_cut and (mean_fit < _LEAST_CUT_FIT or self.sizes.mean() < _LEAST_CUT_PX):
            return False
        return mean_fit >= _LEAST_MEAN_FIT and agreement >= _LEAST_AGREEMENT

    @cached_property
    def is_cut(self) -> bool:
        """Whether it reaches the picture's edge in most of its frames."""
        return float(np.mean([blob.touches for blob in self.blobs])) > 0.7


def weighted(blobs: Sequence[Blob], values: Sequence[npt.ArrayLike]) -> npt.NDArray[np.float64]:
    """The mean over frames; those in which an object is whole and like a thing of the world count most."""
    weights = np.array([blob.fit**4 * (0.05 if blob.touches else 1.0) for blob in blobs])
    return np.asarray(np.tensordot(weights / weights.sum(), np.asarray(values, np.float64), 1))


def mean_agreement(blobs: Sequence[Blob]) -> npt.NDArray[np.float32]:
    """How well the mean mask of patches agrees with each shape, in the order of `SHAPES`."""
    mask = weighted(blobs, [blob.normal for blob in blobs])
    aspect = weighted(blobs, [blob.aspect for blob in blobs])
    return shape_scores(np.asarray(mask, np.float32), float(aspect))


def working(frames: npt.NDArray[np.uint8]) -> list[Picture]:
    """Frames at the size at which they are judged.

    Args:
        frames: Display RGB, uint8 (F, H, W, 3).
    """
    height, width = frames.shape[1:3]
    scale = SHORT_SIDE / min(height, width)
    size = (round(width * scale), round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return [np.asarray(cv2.resize(frame, size, interpolation=how), np.uint8) for frame in frames]


@dataclass(slots=True)
class _Track:
    blobs: list[Blob] = field(default_factory=list)

    def expected(self, frame: int) -> npt.NDArray[np.float64]:
        """Where it should be by then, if it goes on as in the last frames."""
        last = self.blobs[-1]
        here = np.array([last.x, last.y])
        if len(self.blobs) < 2:
            return here
        before = self.blobs[max(len(self.blobs) - 3, 0)]
        speed = (here - (before.x, before.y)) / (last.frame - before.frame)
        return np.asarray(here + speed * min(frame - last.frame, 4))

    def cost(self, blob: Blob, side: float) -> float:
        """How unlikely it is that a patch goes on with it; infinite where it cannot be."""
        last = self.blobs[-1]
        gap = blob.frame - last.frame
        away = float(np.linalg.norm(self.expected(blob.frame) - (blob.x, blob.y)))
        here = float(np.hypot(last.x - blob.x, last.y - blob.y))
        reach = _REACH * side * (1 + 0.25 * (gap - 1))
        # Soft patches are of no certain colour and size.
        loose = 1.0 if blob.is_flat and last.is_flat else _SOFT
        turn = _turn(last.rgb, blob.rgb) / (loose * _TURN_DEG)
        growth = abs(float(np.log(blob.size / last.size))) / (loose * _GROWTH)
        if min(away, here) > reach or turn > 1 or growth > 1 + 0.25 * (gap - 1):
            return float("inf")
        return min(away, here) / reach + turn + growth + 2 * _unlike(last.normal, blob.normal) - blob.fit


def follow(pictures: Sequence[Picture]) -> list[Seen]:
    """The objects of a video, the most prominent first.

    Args:
        pictures: In order of time, at the working size.
    """
    side = min(pictures[0].shape[:2])
    tracks: list[_Track] = []
    for number, picture in enumerate(pictures):
        blobs = [blob for blob in find_blobs(picture, number) if blob.fit >= _LEAST_FIT]
        costs = [(track.cost(blob, side), t, b) for t, track in enumerate(tracks) for b, blob in enumerate(blobs)]
        taken_tracks: set[int] = set()
        taken_blobs: set[int] = set()
        for cost, t, b in sorted(costs):
            if np.isfinite(cost) and t not in taken_tracks and b not in taken_blobs:
                tracks[t].blobs.append(blobs[b])
                taken_tracks.add(t)
                taken_blobs.add(b)
        tracks += [_Track([blob]) for b, blob in enumerate(blobs) if b not in taken_blobs]
    least = max(2, _LEAST_FRAMES_SHARE * len(pictures))
    followed = [one for one in map(Seen.of, _joined(tracks)) if len(one.blobs) >= least]
    seen = [one for one in followed if one.is_object(len(pictures)) and not _is_pattern(one, followed)]
    return sorted(seen, key=lambda one: -one.prominence())


def _joined(tracks: Sequence[_Track]) -> list[list[Blob]]:
    """Tracks, those of one colour and size that are not seen together as one: it was lost in between.

    Once they may be, where a brush has just left its stroke.
    """
    whole: list[list[Blob]] = []
    for track in sorted(tracks, key=lambda one: (one.blobs[0].frame, -len(one.blobs))):
        for other in whole:
            taken = {blob.frame for blob in other}
            more = [blob for blob in track.blobs if blob.frame not in taken]
            is_apart = len(more) >= len(track.blobs) - 1
            if is_apart and min(len(more), len(other)) > 1 and _alike(other, track.blobs):
                other.extend(more)
                other.sort(key=lambda blob: blob.frame)
                break
        else:
            whole.append(list(track.blobs))
    return whole


def _alike(before: Sequence[Blob], after: Sequence[Blob]) -> bool:
    """Whether what was lost may be what is found again."""
    last, first = before[-1], after[0]
    name = int(last.colors.argmin())
    if name != int(first.colors.argmin()) or _turn(last.rgb, first.rgb) >= _TURN_DEG:
        return False
    # A pale patch of a wall is soon found in another place.
    least = min(float(np.mean([blob.fit for blob in part])) for part in (before, after))
    if NAMES[name] in _OF_WALLS and least < _LEAST_MEAN_FIT:
        return False
    return abs(float(np.log(first.size / last.size))) < 2 * _GROWTH


def _is_pattern(one: Seen, followed: Sequence[Seen]) -> bool:
    """Whether the like of it is on the wall again and again."""
    size = float(np.median(one.sizes))

    def is_alike(other: Seen) -> bool:
        sizes = float(np.median(other.sizes)) / size
        lights = other.brightness / max(one.brightness, 1.0)
        same_size = 1 / _SAME_SIZE < sizes < _SAME_SIZE
        return other.color == one.color and same_size and 1 / _SAME_BRIGHTNESS < lights < _SAME_BRIGHTNESS

    return sum(map(is_alike, followed)) >= _PATTERN


def _unlike(one: Mask, other: Mask) -> float:
    """How far two normal masks differ, 0 to 1."""
    return 1 - float(np.minimum(one, other).sum() / max(float(np.maximum(one, other).sum()), 1e-6))


def _turn(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    """The angle between two colours, in degrees."""
    cosine = float(one @ other) / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-3)
    return float(np.degrees(np.arccos(min(max(cosine, -1.0), 1.0))))
