"""What an editor lays over a picture: words in many hands, boxes, logos, each with its own opacity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from infra.demo.encode import Image
from infra.demo.truth import TextBox

Mask = npt.NDArray[np.uint8]
"""How much of each pixel is covered, (h, w), 0 to 255."""
Color = tuple[int, int, int]

BLACK: Color = (8, 8, 8)
WHITE: Color = (248, 248, 244)

_FACES: Mapping[str, tuple[str, int, float]] = {
    "sans": ("sans", 400, 1.0),
    "light": ("sans", 340, 1.05),
    "bold": ("sans", 700, 1.0),
    "black": ("sans", 900, 1.0),
    "italic": ("italic", 450, 1.0),
    "bold italic": ("italic", 800, 0.95),
    "condensed": ("sans", 600, 0.72),
    "wide": ("sans", 600, 1.35),
}
"""Font in OpenCV's wheel, weight, and width over what is usual."""
FACES = tuple(_FACES)
_CAPITALS = 0.7
"""Height of capitals over the size of an outline font."""
_OVERSAMPLING = 3


@lru_cache(maxsize=1024)
def words(text: str, face: str, height_px: float) -> Mask:
    """The pixels that a line of text covers, without margins.

    Args:
        text: In ASCII.
        face: One of `FACES`.
        height_px: Of capitals.
    """
    # Drawn larger and shrunk: strokes of less than a pixel keep their weight.
    drawn = _drawn(text, face, height_px * _OVERSAMPLING)
    rows, columns = np.nonzero(drawn)
    tight = drawn[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    size = (max(1, round(tight.shape[1] / _OVERSAMPLING)), max(1, round(tight.shape[0] / _OVERSAMPLING)))
    mask = np.asarray(cv2.resize(tight, size, interpolation=cv2.INTER_AREA), np.uint8)
    mask.setflags(write=False)
    return mask


def _drawn(text: str, face: str, height_px: float) -> Mask:
    name, weight, stretch = _FACES[face]
    margin = round(2 * height_px)
    sheet = np.zeros((round(4 * height_px), round(1.6 * height_px * len(text)) + 2 * margin, 3), np.uint8)
    font: Any = cv2.FontFace(name)
    base = (margin, round(2.5 * height_px))
    cv2.putText(sheet, text, base, (255, 255, 255), font, round(height_px / _CAPITALS), weight)
    if stretch != 1:
        size = (round(sheet.shape[1] * stretch), sheet.shape[0])
        return np.asarray(cv2.resize(sheet[..., 0], size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.ascontiguousarray(sheet[..., 0])


@dataclass(frozen=True, slots=True)
class Patch:
    """A painted piece that lies over pictures at a place."""

    color: Image
    """(h, w, 3)."""
    cover: Mask
    x: int
    y: int

    def lay(self, picture: Image, shift: int = 0) -> None:
        """Lay it over a picture, in place, `shift` pixels further left; what lies outside is cut off."""
        height, width = picture.shape[:2]
        x0, y0 = self.x - shift, self.y
        left, top = max(0, -x0), max(0, -y0)
        right, bottom = min(self.color.shape[1], width - x0), min(self.color.shape[0], height - y0)
        if right <= left or bottom <= top:
            return
        part = picture[y0 + top : y0 + bottom, x0 + left : x0 + right]
        weight = self.cover[top:bottom, left:right, None].astype(np.float32) / 255
        mixed = part * (1 - weight) + self.color[top:bottom, left:right] * weight
        part[:] = np.round(mixed).astype(np.uint8)

    def box(self, text: str, kind: str) -> TextBox:
        """Where it lies."""
        return TextBox(text, kind, self.x, self.y, self.color.shape[1], self.color.shape[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How lines of text are painted."""

    face: str = "sans"
    height_px: float = 14.0
    """Of capitals."""
    color: Color = WHITE
    rim_px: int = 1
    """Of a dark rim; 0 for none."""
    box: Color | None = None
    """A filled box behind the lines."""
    opacity: float = 1.0
    align: str = "centre"
    """`centre` or `left`."""


def paint(lines: Sequence[str], look: Look) -> Patch:
    """Paint lines of text below each other, as a patch at the upper left corner."""
    masks = [words(line, look.face, look.height_px) for line in lines]
    pad = look.rim_px + (round(0.5 * look.height_px) if look.box else 0)
    step = round(1.75 * look.height_px)
    width = max(mask.shape[1] for mask in masks) + 2 * pad
    height = step * (len(lines) - 1) + round(1.35 * look.height_px) + 2 * pad
    ink = np.zeros((height, width), np.uint8)
    for number, mask in enumerate(masks):
        mask = mask[: height - pad - step * number]
        left = pad if look.align == "left" else (width - mask.shape[1]) // 2
        place = ink[pad + step * number :][: mask.shape[0], left : left + mask.shape[1]]
        np.maximum(place, mask, out=place)
    color = np.full((height, width, 3), look.box or BLACK, np.uint8)
    weight = ink[..., None].astype(np.float32) / 255
    color = np.round(color * (1 - weight) + np.array(look.color, np.float32) * weight).astype(np.uint8)
    if look.box:
        cover = np.full((height, width), 255, np.uint8)
    elif look.rim_px:
        side = 2 * look.rim_px + 1
        cover = np.asarray(cv2.dilate(ink, np.ones((side, side), np.uint8)), np.uint8)
    else:
        cover = ink
        color[:] = look.color
    return Patch(color, np.asarray(cv2.convertScaleAbs(cover, alpha=look.opacity), np.uint8), 0, 0)


def wrapped(text: str, face: str, height_px: float, width_px: float) -> list[str]:
    """A text in lines no wider than that, one word a line at least."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and words(longer, face, height_px).shape[1] <= width_px:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
