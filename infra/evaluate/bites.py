"""Lasting change of an object: a piece of its face that was there at first, and is gone from some moment on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from infra.evaluate.blobs import FACE_SPREAD, Blob, Picture
from infra.evaluate.objects import Seen

Bits = npt.NDArray[np.uint8]
"""0 and 1, (H, W)."""

_LEAST_DISTANCE = 12.0
"""At least so much: noise, and what a lossy codec leaves."""
_LEAST_FRAMES = 5
_MOST_SHARE = 0.5
"""Of a face: what takes more leaves another thing."""
_BEGINS = 0.6
"""Of its largest area: the piece is gone from here on."""
_REST_SHARE = 0.7
"""Of a face beside the piece, that must go on being there."""


def bite(seen: Seen, pictures: Sequence[Picture]) -> tuple[float, float]:
    """What is bitten out of an object.

    Args:
        seen: The object.
        pictures: At the working size.

    Returns:
        The share of its face in the first frames that the largest piece has which is gone later, 0 for none; and the
        least share of that piece that is gone at any time from then to the end, 0 where the object itself is.
    """
    blobs = _every(seen, len(pictures))
    if len(blobs) < _LEAST_FRAMES:
        return 0.0, 0.0
    whole, faces = _aligned(blobs, [pictures[frame] for frame in range(len(pictures) - len(blobs), len(pictures))])
    area = max(int(whole.sum()), 1)
    missing = [_opened(whole & (1 - face)) for face in faces]
    pieces = [_largest(one) for one in missing]
    # What is gone in one frame only is a flaw of it, and no piece.
    shares = [min(pair) / area for pair in pairwise(int(piece.sum()) for piece in pieces)]
    taken = max(shares)
    if not 0 < taken <= _MOST_SHARE:
        return 0.0, 0.0
    begin = next(k for k, share in enumerate(shares) if share >= _BEGINS * taken) + 1
    piece = pieces[begin]
    beside = whole & (1 - np.asarray(cv2.dilate(piece, np.ones((5, 5), np.uint8)), np.uint8))
    rest = _least([_covered(beside, face) for face in faces[begin - 1 :]])
    kept = _least([_covered(piece, one) for one in missing[begin - 1 :]])
    return taken, kept if rest >= _REST_SHARE else 0.0


def _every(seen: Seen, num_frames: int) -> list[Blob]:
    """The patches of an object from where it is first whole to the end; the last one again where it is not found.

    What is bitten may be so unlike any shape that nobody follows it.
    """
    inside = [blob for blob in seen.blobs if not blob.touches]
    # Soft patches are of no certain colour, and flat ones of another: one kind is held against itself.
    known = {blob.frame: blob for blob in inside if blob.is_flat == inside[0].is_flat}
    found: list[Blob] = []
    for frame in range(min(known, default=num_frames), num_frames):
        found.append(known.get(frame) or found[-1])
    return found


def _least(values: Sequence[float]) -> float:
    """The least of some values but for one alone, which is a flaw of its frame."""
    return min(max(pair) for pair in pairwise(values))


def _covered(part: Bits, other: Bits) -> float:
    return float((part & other).sum()) / max(int(part.sum()), 1)


def _aligned(blobs: Sequence[Blob], pictures: Sequence[Picture]) -> tuple[Bits, list[Bits]]:
    """The face of an object as it is in the first two of its pictures, and all its faces laid over that.

    A piece that is gone moves an object's middle, so that faces are laid where most of them lies in the first.
    """
    first = blobs[0]
    reach = 2 + round(0.2 * first.size)
    half = 2 + round(0.7 * max(first.box[2] - first.box[0], first.box[3] - first.box[1]))
    wide = [_face(blob, picture, half + reach) for blob, picture in zip(blobs, pictures, strict=True)]
    whole = _largest(wide[0][reach:-reach, reach:-reach])
    laid: list[Bits] = []
    for face in wide:
        likeness = cv2.matchTemplate(face.astype(np.float32), whole.astype(np.float32), cv2.TM_CCORR)
        row, column = np.unravel_index(int(likeness.argmax()), likeness.shape)
        laid.append(face[row : row + len(whole), column : column + len(whole)])
    return whole & laid[1], laid


def _face(blob: Blob, picture: Picture, half: int) -> Bits:
    """Which pixels around the middle of a patch have its colour, (2 half + 1, 2 half + 1)."""
    padded = cv2.copyMakeBorder(picture, half, half, half, half, cv2.BORDER_CONSTANT)
    x, y = round(blob.x), round(blob.y)
    crop = cv2.GaussianBlur(padded[y : y + 2 * half + 1, x : x + 2 * half + 1], (0, 0), 0.6).astype(np.float32)
    length = float(np.linalg.norm(blob.rgb))
    is_face = np.linalg.norm(crop - blob.rgb, axis=-1) < max(FACE_SPREAD * length, _LEAST_DISTANCE)
    return np.asarray(is_face, np.uint8)


def _opened(bits: Bits) -> Bits:
    return np.asarray(cv2.morphologyEx(bits, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)


def _largest(bits: Bits) -> Bits:
    """The largest connected part."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(bits, connectivity=4)
    if len(stats) < 2:
        return np.zeros_like(bits)
    return np.asarray(parts == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()), np.uint8)
