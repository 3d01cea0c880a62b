"""Text burned into pictures: subtitles, titles, logos, and slides of nothing else."""

from __future__ import annotations

import cv2
import numpy as np

from infra.demo.encode import Image
from infra.demo.truth import TextBox

Rng = np.random.Generator

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_HEIGHT_PX = 21.0
"""Of capitals at scale 1."""
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
_SLIDE_LINES = ("Three things to know", "Results of the year", "Thank you for watching", "What comes next?", "Our plan")


def place_text(kind: str, rng: Rng, size: tuple[int, int]) -> TextBox:
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
    box_width, box_height = _extent(text, _fitting(text, share * height, 0.86 * width))
    x, y = {
        "subtitle": ((width - box_width) // 2, round(0.92 * height) - box_height),
        "title": ((width - box_width) // 2, round(rng.uniform(0.3, 0.5) * height)),
        "logo": ((width - box_width - width // 30, width // 30)[int(rng.integers(2))], height // 20),
    }[kind]
    return TextBox(text, kind, x, y, box_width, box_height)


def write_text(picture: Image, box: TextBox) -> None:
    """Write white text with a dark rim into its box, in place."""
    scale = _scale_of(box)
    rim = _rim(scale)
    x, y = box.x + rim, box.y + box.height - rim - round(0.28 * scale * _FONT_HEIGHT_PX)
    around = [(dx, dy) for dx in (-rim, 0, rim) for dy in (-rim, 0, rim) if dx or dy]
    for (dx, dy), color in [*((step, (12, 12, 12)) for step in around), ((0, 0), (246, 246, 240))]:
        cv2.putText(picture, box.text, (x + dx, y + dy), _FONT, scale, color, _weight(scale), cv2.LINE_AA)


def slide(rng: Rng, size: tuple[int, int]) -> tuple[Image, tuple[TextBox, ...]]:
    """A still slide: a plain ground with two to four lines."""
    width, height = size
    ground = np.asarray(rng.integers(20, 90, 3) if rng.random() < 0.6 else rng.integers(90, 150, 3), np.float32)
    ramp = np.linspace(1.15, 0.85, height, dtype=np.float32)[:, None, None]
    picture = np.ascontiguousarray(np.broadcast_to(np.clip(ground * ramp, 0, 255), (height, width, 3)).astype(np.uint8))
    boxes = []
    for line in range(int(rng.integers(2, 5))):
        text = _SLIDE_LINES[int(rng.integers(len(_SLIDE_LINES)))]
        extent = _extent(text, _fitting(text, (0.07 if line == 0 else 0.05) * height, 0.8 * width))
        box = TextBox(text, "slide", width // 10, round((0.18 + 0.19 * line) * height), *extent)
        write_text(picture, box)
        boxes.append(box)
    return picture, tuple(boxes)


def _weight(scale: float) -> int:
    return max(round(1.6 * scale), 1)


def _rim(scale: float) -> int:
    return max(round(1.5 * scale), 1)


def _fitting(text: str, height_px: float, width_px: float) -> float:
    """The scale that gives capitals of a height, or less where the line would be too wide."""
    scale = height_px / _FONT_HEIGHT_PX
    wide = _extent(text, scale)[0]
    return scale * min(1.0, width_px / wide)


def _extent(text: str, scale: float) -> tuple[int, int]:
    (wide, _), _ = cv2.getTextSize(text, _FONT, scale, _weight(scale))
    return wide + 2 * _rim(scale), round(1.28 * scale * _FONT_HEIGHT_PX) + 2 * _rim(scale)


def _scale_of(box: TextBox) -> float:
    """The scale at which a box was measured."""
    low, high = 0.05, 20.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _extent(box.text, middle)[1] < box.height + 0.5 else (low, middle)
    return low
