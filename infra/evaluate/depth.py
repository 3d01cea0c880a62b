"""Which of two objects stands before the other: where their outlines overlap in the picture, the one that is whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import combinations, product

import cv2
import numpy as np
import numpy.typing as npt

from infra.demo.shapes import area, outline
from infra.demo.vocabulary import SHAPES
from infra.evaluate.blobs import FACE_SPREAD, MAX_ANGLE_DEG, Blob, Picture, find_blobs
from infra.evaluate.color import NAMES
from infra.evaluate.objects import Seen

Bits = npt.NDArray[np.float32]
"""0 and 1, (H, W)."""
Key = int | str
"""The number of an object, or the colour of a patch that nobody followed: of what is half hidden little may be left."""
Fronts = Mapping[tuple[Key, Key], npt.NDArray[np.float64]]
"""For each shape of the one and each of the other the share of what both outlines hold that is the first's, less that
which is the second's, -1 to 1; nan where they do not overlap. (shapes, shapes)."""

_NUM_FRAMES = 2
"""First ones: words say where things stand at first."""
_NUM_OBJECTS = 6
_LEAST_CONTRAST, _LEAST_PX = 0.2, 5.0
"""Of a patch that nobody followed."""
_MOST_DEG = 16.0
"""How far the colour of sides and bevels may be from that of a face."""
_LEAST_LIGHT = 0.35
"""Of a face's length, that a side has."""
_LEAST_OVERLAP_PX = 8
_LEAST_OVERLAP_SHARE = 0.02
"""Of the smaller outline."""
_LEAST_VOTE = 0.2
_SIDE_PX = 44
"""Of the larger side of a picture of both in which outlines are laid."""
_SCALES = np.exp(np.linspace(np.log(0.75), np.log(1.7), 12))
"""Of an outline, over the size of what is seen of it."""


def fronts(objects: Sequence[Seen], pictures: Sequence[Picture]) -> Fronts:
    """Find, of all that meets in the first pictures, what hides what.

    Args:
        objects: The most prominent first.
        pictures: At the working size.
    """
    found: dict[tuple[Key, Key], list[npt.NDArray[np.float64]]] = defaultdict(list)
    for frame, picture in enumerate(pictures[:_NUM_FRAMES]):
        blobs: dict[Key, Blob] = {
            number: blob
            for number, seen in enumerate(objects[:_NUM_OBJECTS])
            for blob in seen.blobs[: frame + 1]
            if blob.frame == frame
        }
        blobs |= _loose(list(blobs.values()), find_blobs(picture, frame)) if blobs else {}
        for one, other in combinations(blobs, 2):
            if isinstance(one, int) and _meet(blobs[one], blobs[other]):
                found[one, other].append(_overlap(blobs[one], blobs[other], picture))
    return {key: _mean(votes) for key, votes in found.items()}


def stands(fronts: Fronts, one: Sequence[Key], other: Sequence[Key], shapes: tuple[str, str]) -> str:
    """Where one thing stands as seen from another: `in front of`, `behind`, or nothing where it cannot be seen.

    Args:
        fronts: As found.
        one: What it may be found under, the surest first.
        other: The same of the other.
        shapes: Which outlines they have.
    """
    first, second = (SHAPES.index(shape) for shape in shapes)
    for a, b in product(one, other):
        vote = 0.0
        if (a, b) in fronts:
            vote = float(fronts[a, b][first, second])
        elif (b, a) in fronts:
            vote = -float(fronts[b, a][second, first])
        if abs(vote) > _LEAST_VOTE:
            return "in front of" if vote > 0 else "behind"
    return ""


def _mean(votes: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Over those pictures in which outlines overlap."""
    stacked = np.stack(votes)
    counts = np.isfinite(stacked).sum(axis=0)
    return np.asarray(np.where(counts > 0, np.nansum(stacked, axis=0) / np.maximum(counts, 1), np.nan))


def _loose(followed: Sequence[Blob], blobs: Sequence[Blob]) -> dict[Key, Blob]:
    """Patches of a picture beside those of objects, the largest of each colour."""
    found: dict[Key, Blob] = {}
    taken = {(blob.x, blob.y) for blob in followed}
    for blob in sorted(blobs, key=lambda one: one.size):
        is_clear = blob.contrast >= _LEAST_CONTRAST and blob.size >= _LEAST_PX and blob.colors.min() < MAX_ANGLE_DEG
        if is_clear and (blob.x, blob.y) not in taken and any(_meet(blob, other) for other in followed):
            found[NAMES[int(blob.colors.argmin())]] = blob
    return found


def _meet(one: Blob, other: Blob) -> bool:
    """Whether the boxes of two patches, with their sides and what may be hidden of them, overlap."""
    pad = 0.25 * (one.size + other.size)
    across = min(one.box[2], other.box[2]) - max(one.box[0], other.box[0])
    down = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    return across > -pad and down > -pad


def _overlap(one: Blob, other: Blob, picture: Picture) -> npt.NDArray[np.float64]:
    """Of one picture, whose colour what both outlines hold has, for all pairs of shapes."""
    pad = round(0.5 * max(one.size, other.size))
    left, top = (max(min(one.box[k], other.box[k]) - pad, 0) for k in (0, 1))
    right, bottom = (max(one.box[k], other.box[k]) + pad for k in (2, 3))
    part = picture[top:bottom, left:right]
    scale = min(1.0, _SIDE_PX / max(part.shape[:2]))
    crop = np.asarray(cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.float32)
    first, second = _labelled(crop, one, other, scale)
    # What lies beyond the picture's own edge is not known.
    height, width = picture.shape[:2]
    edges = (top == 0, bottom >= height, left == 0, right >= width)
    laid = [
        [_laid(own, hidden, scale * blob.size, shape, edges) for shape in SHAPES]
        for own, hidden, blob in ((first, second, one), (second, first, other))
    ]
    votes = np.full((len(SHAPES), len(SHAPES)), np.nan)
    for a, mine in enumerate(laid[0]):
        for b, its in enumerate(laid[1]):
            shared = mine * its
            enough = max(_LEAST_OVERLAP_PX * scale**2, _LEAST_OVERLAP_SHARE * min(mine.sum(), its.sum()))
            if shared.sum() >= enough:
                votes[a, b] = float((shared * first).sum() - (shared * second).sum()) / float(shared.sum())
    return votes


def _labelled(crop: Bits, one: Blob, other: Blob, scale: float) -> tuple[Bits, Bits]:
    """Which pixels are of either patch: of its face, or near to that and of its colour in another shade."""
    lengths = np.linalg.norm(crop, axis=-1)
    cosines = []
    for blob in (one, other):
        own = float(np.linalg.norm(blob.rgb))
        is_face = (np.linalg.norm(crop - blob.rgb, axis=-1) < FACE_SPREAD * own).astype(np.uint8)
        reach = 1 + 2 * max(1, round(0.08 * scale * blob.size))
        near = cv2.dilate(is_face, np.ones((reach, reach), np.uint8)) > 0
        cosine = crop @ blob.rgb / np.maximum(lengths * own, 1e-3)
        cosines.append(np.where(near & (lengths > _LEAST_LIGHT * own), cosine, -1.0))
    is_like = [cosine > np.cos(np.radians(_MOST_DEG)) for cosine in cosines]
    first = is_like[0] & (cosines[0] >= cosines[1])
    return first.astype(np.float32), (is_like[1] & ~first).astype(np.float32)


def _laid(own: Bits, hidden: Bits, size: float, shape: str, edges: tuple[bool, bool, bool, bool]) -> Bits:
    """The outline of a shape where it agrees best with what is seen of an object; what hides it may lie over it."""
    near = np.asarray(cv2.dilate(hidden, np.ones((3, 3), np.uint8)), np.float32)
    known = 1 - near * (1 - own)
    best, found = -1.0, own
    for scale in _SCALES:
        mask = _filled(shape, round(float(size * scale) * 4))
        pad = len(mask) // 2
        wide_own = cv2.copyMakeBorder(own, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=(0.0,))
        wide_known = cv2.copyMakeBorder(known, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=(1.0,))
        margins = (wide_known[:pad], wide_known[-pad:], wide_known[:, :pad], wide_known[:, -pad:])
        for is_edge, margin in zip(edges, margins, strict=True):
            if is_edge:
                margin[:] = 0.0
        shared = cv2.matchTemplate(wide_own, mask, cv2.TM_CCORR)
        claimed = cv2.matchTemplate(wide_known, mask, cv2.TM_CCORR)
        likeness = shared / np.maximum(claimed + own.sum() - shared, 1e-6)
        row, column = np.unravel_index(int(likeness.argmax()), likeness.shape)
        if likeness[row, column] > best:
            best = float(likeness[row, column])
            canvas = np.zeros_like(wide_own)
            canvas[row : row + len(mask), column : column + len(mask)] = mask
            found = np.asarray(canvas[pad : pad + own.shape[0], pad : pad + own.shape[1]], np.float32)
    return np.asarray(found > 0.5, np.float32)


@cache
def _filled(shape: str, quarter: int) -> Bits:
    """A shape whose area is the square of a quarter of a number of pixels, in the middle of a square of odd side."""
    points = outline(shape)
    height = quarter / 4 / float(np.sqrt(area(points)))
    half = max(1, int(np.ceil(height / 2)) + 1)
    canvas = np.zeros((2 * half + 1, 2 * half + 1), np.uint8)
    spots = np.round((points * height + half) * 16).astype(np.int32)
    cv2.fillPoly(canvas, [spots], (255,), lineType=cv2.LINE_AA, shift=4)
    return np.asarray(canvas / 255, np.float32)
