"""What a clip's pictures are remembered by: a few low frequencies of its mean picture, and how they change in time.

A picture's part inside the clip's borders is taken as the unit square, as displayed; so neither its size, nor borders,
nor the file's rotation matter. Of it we keep two-dimensional cosine coefficients, in levels: luma and chroma. Times
are averaged over short windows, so that the frame rate does not matter either. The mean over the clip is kept with
more frequencies and as half floats; what differs from it at each instant as bytes in steps of the clip's own, so
that a small movement before a still background is not lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Array = npt.NDArray[Any]

INTERVAL_S: Final = 0.25
"""Seconds that one instant stands for, at most."""
MIN_INSTANTS: Final = 8
"""Instants of a clip that is short; longer ones have as many as `INTERVAL_S` gives."""
MAX_INSTANTS: Final = 64
"""Instants of a clip that is very long: they then stand for more than `INTERVAL_S`."""
LUMA_ORDER: Final = 8
"""Of an instant those luma coefficients are kept whose two frequencies add up to less."""
PICTURE_LUMA_ORDER: Final = 12
"""The same of the mean picture."""
_CHROMA_ORDER: Final = 2
_PICTURE_CHROMA_ORDER: Final = 3
_GREY: Final = 128
_CONTENT_ROWS: Final = slice(1, None, 3)
"""Every third row of every frame tells two contents apart as surely as all would, at a third of the time."""


def _layout() -> tuple[tuple[int, int, int], ...]:
    """Plane, vertical and horizontal frequency of each coefficient.

    First those of an instant, then what the mean picture has beyond them.
    """

    def below(order: int, plane: int) -> list[tuple[int, int, int]]:
        return [(plane, v, u) for v in range(order) for u in range(order - v)]

    instant = [*below(LUMA_ORDER, 0), *below(_CHROMA_ORDER, 1), *below(_CHROMA_ORDER, 2)]
    picture = [
        *below(PICTURE_LUMA_ORDER, 0),
        *below(_PICTURE_CHROMA_ORDER, 1),
        *below(_PICTURE_CHROMA_ORDER, 2),
    ]
    return (*instant, *(one for one in picture if one not in set(instant)))


LAYOUT: Final = _layout()
"""Plane (Y, Cb, Cr), vertical and horizontal frequency of each coefficient of a mean picture."""
NUM_INSTANT: Final = LUMA_ORDER * (LUMA_ORDER + 1) // 2 + _CHROMA_ORDER * (_CHROMA_ORDER + 1)
"""How many of them, from the first on, an instant has."""
NUM_PICTURE: Final = len(LAYOUT)
MIRROR: Final = np.array([-1.0 if u % 2 else 1.0 for _, _, u in LAYOUT], np.float32)
"""The factor by which mirroring changes each coefficient."""


_PLACES: Final = tuple(np.array(LAYOUT).T)


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a picture that counts, each bound a share of the side, 0 to 1."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is remembered of one clip."""

    interval_s: float
    """Seconds that each instant stands for."""
    picture: Floats
    """(90,): coefficients of the mean picture, in levels, in the order of `LAYOUT`; luma's mean less 128."""
    changes: npt.NDArray[np.int8]
    """(K, 42): what each instant differs from it, in `change_step` levels."""
    change_step: float
    content: bytes
    """8 bytes that tell the very pictures, frame by frame; without their times."""

    def to_row(self) -> dict[str, Any]:
        """Its columns of the table `fingerprints`."""
        return {
            "interval_s": self.interval_s,
            "picture": self.picture.astype("<f2").tobytes(),
            "changes": self.changes.tobytes(),
            "change_step": self.change_step,
            "content": self.content.hex(),
        }


def take_fingerprint(
    thumbs: Array, edges_s: Array, window: Window, *, rotation_deg: int = 0, is_mirrored: bool = False
) -> Fingerprint:
    """The fingerprint of a clip.

    Args:
        thumbs: Its frames as stored, uint8 (n, h, w, 3): full-range Y, Cb, Cr.
        edges_s: Where each frame begins and the last one ends, in seconds, (n + 1,), strictly increasing.
        window: The part of the stored picture within the borders.
        rotation_deg: Clockwise turn to the displayed picture: 0, 90, 180 or 270.
        is_mirrored: Whether it is flipped left to right before the turn.
    """
    instants, interval_s = _instants(thumbs, edges_s)
    planes = _oriented(_coefficients(instants, window), rotation_deg, is_mirrored)
    vectors = planes[:, *_PLACES]
    picture = vectors.mean(axis=0)
    changes = vectors[:, :NUM_INSTANT] - picture[:NUM_INSTANT]
    # Never zero, so that a still clip divides like any other.
    step = max(float(np.abs(changes).max()) / 127, 1e-3)
    return Fingerprint(
        interval_s=interval_s,
        picture=picture.astype(np.float32),
        changes=np.rint(changes / step).astype(np.int8),
        change_step=step,
        content=blake2b(np.ascontiguousarray(thumbs[:, _CONTENT_ROWS]).data, digest_size=8).digest(),
    )


def _instants(thumbs: Array, edges_s: Array) -> tuple[Floats, float]:
    """Mean pictures of equally long parts of the clip, (K, h, w, 3), and how long a part is, in seconds.

    Frames count by how long they are shown.
    """
    begin_s, duration_s = float(edges_s[0]), float(edges_s[-1] - edges_s[0])
    wanted_s = min(INTERVAL_S, duration_s / MIN_INSTANTS)
    count = 1 if len(thumbs) == 1 else min(MAX_INSTANTS, round(duration_s / wanted_s))
    interval_s = duration_s / count
    bounds = begin_s + interval_s * np.arange(count + 1)
    firsts = np.clip(np.searchsorted(edges_s, bounds[:-1], side="right") - 1, 0, len(thumbs) - 1)
    lasts = np.clip(np.searchsorted(edges_s, bounds[1:], side="left"), firsts + 1, len(thumbs))
    flat = thumbs.reshape(len(thumbs), -1)
    means = np.empty((count, flat.shape[1]), np.float32)
    for k, (first, last) in enumerate(zip(firsts, lasts, strict=True)):
        shown = np.diff(np.clip(edges_s[first : last + 1], bounds[k], bounds[k + 1])).astype(np.float32)
        total = float(shown.sum())
        weights = shown / total if total > 0 else np.full(last - first, 1 / (last - first), np.float32)
        means[k] = weights @ flat[first:last].astype(np.float32)
    return means.reshape(count, *thumbs.shape[1:]), interval_s


def _coefficients(pictures: Floats, window: Window) -> Floats:
    """Cosine coefficients of pictures inside a window, (K, 3, 12, 12): plane, vertical, horizontal frequency."""
    _, height, width, _ = pictures.shape
    down = _basis(window.top * height, window.bottom * height, height)
    across = _basis(window.left * width, window.right * width, width)
    count = len(pictures)
    # Rows first, as one matrix product: it leaves a twelfth of the numbers to the next.
    rows = down @ np.moveaxis(pictures - np.float32(_GREY), 1, 0).reshape(height, -1)
    planes = np.moveaxis(rows.reshape(len(down), count, width, 3), (1, 3), (0, 1))
    return np.asarray(np.ascontiguousarray(planes) @ across.T, np.float32)


def _basis(begin: float, end: float, count: int) -> Floats:
    """Cosines over `[begin, end)` of a side of `count` cells, averaged over each cell, (12, count).

    They are orthonormal over the window; a cell counts by its part inside.
    """
    place = (np.clip(np.arange(count + 1), begin, end) - begin) / (end - begin)
    order = np.arange(1, PICTURE_LUMA_ORDER)[:, None]
    waves = np.sqrt(2) * np.diff(np.sin(np.pi * order * place)) / (np.pi * order)
    basis: Floats = np.concatenate([np.diff(place)[None], waves]).astype(np.float32)
    return basis


def _oriented(planes: Floats, rotation_deg: int, is_mirrored: bool) -> Floats:
    """Coefficients of the displayed picture: a flip changes the sign of odd frequencies, a turn swaps the two."""
    signs = np.where(np.arange(PICTURE_LUMA_ORDER) % 2, -1, 1).astype(np.float32)
    if is_mirrored:
        planes = planes * signs
    match rotation_deg:
        case 90:
            return planes.swapaxes(2, 3) * signs
        case 180:
            return planes * signs * signs[:, None]
        case 270:
            return planes.swapaxes(2, 3) * signs[:, None]
    return planes
