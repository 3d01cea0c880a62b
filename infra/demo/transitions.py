"""How one picture turns into the next: dissolves, fades through a colour, wipes."""

from __future__ import annotations

import math
from collections.abc import Mapping

import cv2
import numpy as np
import numpy.typing as npt

from infra.demo.encode import Image

FADE_COLORS: Mapping[str, int] = {"through black": 0, "through white": 255}
WIPES = (
    "left to right",
    "right to left",
    "top to bottom",
    "bottom to top",
    "diagonal",
    "from the centre",
    "clock",
)
"""Where the new shot comes in."""


def mix(old: Image, new: Image, progress: float, kind: str, detail: str = "") -> Image:
    """The picture between two shots.

    Args:
        old: (H, W, 3) uint8, of the shot that ends.
        new: Of the shot that begins.
        progress: 0 (all old) to 1 (all new).
        kind: `dissolve`, `fade` or `wipe`.
        detail: For a fade a key of `FADE_COLORS`, for a wipe one of `WIPES`; empty for the first of them.

    Raises:
        ValueError: The kind or the detail is none of these.
    """
    if kind == "dissolve":
        return np.asarray(cv2.addWeighted(old, 1 - progress, new, progress, 0), np.uint8)
    if kind == "fade":
        return _fade(old, new, progress, FADE_COLORS[detail or "through black"])
    if kind == "wipe":
        return _wipe(old, new, progress, detail or WIPES[0])
    raise ValueError(f"no mixture of the kind {kind!r}")


def bordered(picture: Image, side: int, top: int) -> Image:
    """A picture with `side` black columns at each side, `top` black rows above and as many below."""
    if not side and not top:
        return picture
    return np.asarray(cv2.copyMakeBorder(picture, top, top, side, side, cv2.BORDER_CONSTANT, value=(0, 0, 0)), np.uint8)


def fade_to(picture: Image, weight: float, level: int) -> Image:
    """A picture mixed with plain grey: all picture at a weight of 0, all grey at 1."""
    return np.asarray(cv2.convertScaleAbs(picture, alpha=1 - weight, beta=weight * level), np.uint8)


def _fade(old: Image, new: Image, progress: float, level: int) -> Image:
    """Old to plain, a tenth of the time plain, plain to new."""
    if progress < 0.45:
        return fade_to(old, progress / 0.45, level)
    if progress > 0.55:
        return fade_to(new, (1 - progress) / 0.45, level)
    return np.full_like(old, level)


def _wipe(old: Image, new: Image, progress: float, detail: str) -> Image:
    """The new shot where its edge has passed, with a border line two pixels soft."""
    height, width = old.shape[:2]
    distance, length = _wipe_distance(width, height, detail)
    weight = np.clip((progress * length - distance) / 2 + 0.5, 0, 1).astype(np.float32)
    return np.asarray(cv2.blendLinear(new, old, weight, 1 - weight), np.uint8)


def _wipe_distance(width: int, height: int, detail: str) -> tuple[npt.NDArray[np.float32], float]:
    """How far, in pixels, the edge must go to reach each pixel, and how far it goes in all."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    if detail == "left to right":
        return x, width
    if detail == "right to left":
        return width - 1 - x, width
    if detail == "top to bottom":
        return y, height
    if detail == "bottom to top":
        return height - 1 - y, height
    if detail == "diagonal":
        return (x + y) / np.float32(math.sqrt(2)), (width + height) / math.sqrt(2)
    if detail == "from the centre":
        return np.hypot(x - width / 2, y - height / 2), math.hypot(width, height) / 2
    if detail == "clock":
        angle = np.mod(np.arctan2(x - width / 2, height / 2 - y), np.float32(2 * math.pi))
        return angle * np.float32(min(width, height) / 4), 2 * math.pi * min(width, height) / 4
    raise ValueError(f"no wipe {detail!r}; there are {WIPES}")
