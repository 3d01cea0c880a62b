"""From the decoded picture to the displayed one: a flip, a turn by quarters, and the shape of the samples."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""uint8 (H, W, 3)."""

_MATRIX = struct.Struct("=9i")
_MAX_ASPECT = 8
"""No camera or format has samples more than a few times as wide as high; what says so is wrong."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """What a player does to the decoded picture: flip it, then turn it."""

    rotation_deg: int = 0
    """Clockwise: 0, 90, 180 or 270."""
    is_mirrored: bool = False
    """Flipped left to right, before the turn."""

    @classmethod
    def from_matrix(cls, matrix: bytes) -> Orientation:
        """The orientation that is nearest to a display matrix: nine 32-bit integers, as FFmpeg has them.

        With `(a, b; c, d)` its upper left part, a picture's point `(x, y)`, y downwards, is displayed at
        `(a x + c y, b x + d y)`. Angles between the quarters go to the nearest; a matrix that squashes the
        picture flat, or is none, turns nothing.
        """
        if len(matrix) != _MATRIX.size:
            return cls()
        a, b, _, c, d = _MATRIX.unpack(matrix)[:5]
        determinant = a * d - b * c
        if determinant == 0:
            return cls()
        is_mirrored = determinant < 0
        if is_mirrored:
            a, b = -a, -b
        quarters = round(math.degrees(math.atan2(b, a)) / 90) % 4
        return cls(90 * quarters, is_mirrored)

    def displayed(self, width: int, height: int, sample_aspect: Fraction = Fraction(1)) -> tuple[int, int]:
        """The displayed width and height of a picture that is decoded with `width` x `height` samples.

        The height is kept and the width takes the shape of the samples, as players do, before the turn.
        """
        wide = max(1, round(width * sample_aspect))
        return (height, wide) if self.rotation_deg in (90, 270) else (wide, height)


def usable_aspect(told: Fraction | None) -> Fraction:
    """The sample aspect ratio that a file tells, or 1 where it tells none or nonsense."""
    if told is None or not Fraction(1, _MAX_ASPECT) <= told <= _MAX_ASPECT:
        return Fraction(1)
    return told


def turned(picture: Pixels, rotation_deg: int) -> Pixels:
    """A picture turned clockwise by 0, 90, 180 or 270 degrees; itself where nothing is to do."""
    # Whoever only asks for an orientation, as probing does, starts faster without it.
    import cv2

    turns = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
    return picture if rotation_deg not in turns else np.asarray(cv2.rotate(picture, turns[rotation_deg]), np.uint8)
