"""Text burned into pictures: subtitles, titles, logos, and slides of nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from infra.demo.encode import Image
from infra.demo.truth import TextBox

Rng = np.random.Generator

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_HEIGHT_PX = 21.0
"""Of capitals at scale 1."""
_DARK, _LIGHT = (12, 12, 12), (246, 246, 240)
_SUBTITLES = (
    "I did not see it coming",
    "Where are they going?",
    "Wait for me!",
    "It was here a moment ago",
    "Nobody told us about that",
    "We should turn back now",
)
_TITLES = ("CHAPTER ONE", "THE JOURNEY", "LATER THAT DAY", "THE END", "PART II", "SOMEWHERE ELSE")
_LOGOS = ("RTV", "LIVE", "CH 5", "NEWS", "@mini")
_SLIDE_LINES = (
    "Three things to know",
    "Results of the year",
    "Thank you for watching",
    "What comes next?",
    "Our plan",
)


@dataclass(frozen=True, slots=True)
class Lettering:
    """Words at a place of the picture."""

    box: TextBox
    """Exactly the pixels that it touches."""
    scale: float

    @classmethod
    def at(cls, text: str, kind: str, scale: float, corner: tuple[int, int]) -> Lettering:
        """Words whose box has its upper left corner there."""
        return cls(TextBox(text, kind, *corner, *_measure(text, scale)[2:]), scale)

    def write(self, picture: Image) -> None:
        """Write it in white with a dark rim, in place."""
        left, above, _, _ = _measure(self.box.text, self.scale)
        _write(picture, self.box.text, self.scale, (self.box.x - left, self.box.y - above))


def place_text(kind: str, rng: Rng, size: tuple[int, int]) -> Lettering:
    """Draw words and a place for them.

    Args:
        kind: `subtitle`, `title` or `logo`.
        rng: Where the words come from.
        size: Of the picture, in pixels.

    Raises:
        ValueError: There is no such kind.
    """
    width, height = size
    words = {"subtitle": _SUBTITLES, "title": _TITLES, "logo": _LOGOS}.get(kind)
    if words is None:
        raise ValueError(f"no text of the kind {kind!r}")
    text = words[int(rng.integers(len(words)))]
    share = {"subtitle": 0.045, "title": 0.085, "logo": 0.04}[kind]
    scale = _fitting(text, share * height, 0.86 * width)
    _, _, box_width, box_height = _measure(text, scale)
    corner = {
        "subtitle": ((width - box_width) // 2, round(0.94 * height) - box_height),
        "title": ((width - box_width) // 2, round(rng.uniform(0.3, 0.5) * height)),
        "logo": ((width - box_width - width // 30, width // 30)[int(rng.integers(2))], height // 20),
    }[kind]
    return Lettering.at(text, kind, scale, corner)


def slide(rng: Rng, size: tuple[int, int]) -> tuple[Image, tuple[TextBox, ...]]:
    """A still slide: a plain ground with two to four lines."""
    width, height = size
    ground = np.asarray(rng.integers(20, 90, 3) if rng.random() < 0.6 else rng.integers(90, 150, 3), np.float32)
    ramp = np.linspace(1.15, 0.85, height, dtype=np.float32)[:, None, None]
    plain = np.clip(ground * ramp, 0, 255).astype(np.uint8)
    picture = np.ascontiguousarray(np.broadcast_to(plain, (height, width, 3)))
    boxes = []
    for line in range(int(rng.integers(2, 5))):
        text = _SLIDE_LINES[int(rng.integers(len(_SLIDE_LINES)))]
        scale = _fitting(text, (0.07 if line == 0 else 0.05) * height, 0.8 * width)
        lettering = Lettering.at(text, "slide", scale, (width // 10, round((0.18 + 0.19 * line) * height)))
        lettering.write(picture)
        boxes.append(lettering.box)
    return picture, tuple(boxes)


def _write(picture: Image, text: str, scale: float, base: tuple[int, int]) -> None:
    rim, weight = max(round(1.5 * scale), 1), max(round(1.6 * scale), 1)
    around = [(dx, dy) for dx in (-rim, 0, rim) for dy in (-rim, 0, rim) if dx or dy]
    for (dx, dy), color in [*((step, _DARK) for step in around), ((0, 0), _LIGHT)]:
        cv2.putText(picture, text, (base[0] + dx, base[1] + dy), _FONT, scale, color, weight, cv2.LINE_AA)


@lru_cache(maxsize=512)
def _measure(text: str, scale: float) -> tuple[int, int, int, int]:
    """Left, top, width and height of the pixels that a text touches, from the point where it is put.

    Measured on the drawn text, since what OpenCV reports is not what it draws.
    """
    reach = round(60 * scale) + 8
    sheet = np.full((2 * reach, round(len(text) * 30 * scale) + 2 * reach, 3), 128, np.uint8)
    _write(sheet, text, scale, (reach, reach))
    rows, columns = np.nonzero((sheet != 128).any(axis=2))
    left, top = int(columns.min()), int(rows.min())
    return left - reach, top - reach, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top


def _fitting(text: str, height_px: float, width_px: float) -> float:
    """The scale that gives capitals of a height, or less where the line would be too wide."""
    scale = height_px / _FONT_HEIGHT_PX
    return scale * min(1.0, width_px / _measure(text, scale)[2])
