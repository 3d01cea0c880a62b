"""Buckets: at which frames, height and width a clip is trained."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from schemas.shape import LatentShape, PixelShape


@dataclass(frozen=True, slots=True)
class Resize:
    """How a picture gets to its bucket: resized, then cut at its edges."""

    height: int
    """After the resize, in pixels; at least the bucket's."""
    width: int
    crop_y: int
    """Rows cut off at the top; the rest of what is too much is cut off at the bottom."""
    crop_x: int
    """Columns cut off at the left."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What all clips of one bucket share, and at which rate a clip's frames are taken for it."""

    frames: int
    """Frames that are taken; 1 modulo the autoencoder's stride in time."""
    height: int
    """In pixels, after resize and crop."""
    width: int
    frame_rate: Fraction = Fraction(1)
    """Frames a second as taken: the clip's own rate over `frame_step`. A still picture has that of its one frame."""
    frame_step: int = 1
    """Every how manieth frame is taken, from the clip's first on."""

    @property
    def pixels(self) -> PixelShape:
        """Its shape."""
        return PixelShape(self.frames, self.height, self.width)

    def num_tokens(self, stride: tuple[int, int, int], patch: tuple[int, int, int]) -> int:
        """How many patches a transformer sees of a clip in it, text not counted."""
        return LatentShape.of(self.pixels, channels=1, stride=stride).num_tokens(patch)

    def resize(self, height: int, width: int, cell: tuple[int, int]) -> Resize:
        """How a picture of a native size gets to this bucket, which must be its own.

        Both sides are scaled alike, to the smallest picture that covers the bucket. Only a side that would come
        below one cell is stretched to it.

        Args:
            height: Of the native picture, in pixels.
            width: Of the native picture, in pixels.
            cell: One grid step (height, width), in pixels.
        """
        scales = Fraction(self.height, height), Fraction(self.width, width)
        for scale in (min(Fraction(1), max(scales)), min(scales)):
            high = max(self.height, _rounded(height * scale))
            wide = max(self.width, _rounded(width * scale))
            if high - self.height <= cell[0] and wide - self.width <= cell[1]:
                break
        return Resize(high, wide, (high - self.height) // 2, (wide - self.width) // 2)


def _rounded(value: Fraction) -> int:
    return int(value + Fraction(1, 2))
