"""The words of the miniature world: everything that a scene can hold, and what is kept for evaluation."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping

from schemas.caption import CAMERA_MOTIONS

SHAPES = ("circle", "square", "triangle", "star", "heart", "diamond", "hexagon", "cross", "crescent", "arrow")

COLORS: Mapping[str, tuple[int, int, int]] = {
    "red": (214, 40, 40),
    "orange": (245, 132, 31),
    "yellow": (250, 216, 51),
    "green": (46, 160, 67),
    "cyan": (42, 198, 210),
    "blue": (38, 84, 200),
    "purple": (128, 52, 170),
    "pink": (244, 124, 180),
    "brown": (121, 74, 40),
    "white": (242, 242, 238),
}
"""RGB in neutral light."""

SIZES: Mapping[str, float] = {"small": 0.11, "medium": 0.19, "large": 0.30}
"""Height of a shape over the shorter side of the picture, where it stands."""

_D = math.sqrt(0.5)
DIRECTIONS: Mapping[str, tuple[float, float]] = {
    "left": (-1, 0),
    "right": (1, 0),
    "up": (0, -1),
    "down": (0, 1),
    "up left": (-_D, -_D),
    "up right": (_D, -_D),
    "down left": (-_D, _D),
    "down right": (_D, _D),
}
"""Unit vectors, x to the right and y down."""

SPEEDS: Mapping[str, float] = {"slow": 0.1, "medium": 0.25, "fast": 0.6}
"""Shorter sides of the picture a second, where the object stands."""

CAMERAS = CAMERA_MOTIONS

RELATIONS = ("left of", "right of", "above", "below", "in front of", "behind")

BACKGROUNDS = (
    "brick wall",
    "plaster wall",
    "wooden boards",
    "checkered wall",
    "striped wallpaper",
    "cloudy sky",
    "hills",
    "night sky",
)
FLOORS = ("tiled floor", "wooden floor", "sand", "grass", "carpet")

LIGHT_SIDES = ("left", "right", "above", "front")
BRIGHTNESS: Mapping[str, float] = {"dark": 0.28, "dim": 0.62, "normal": 0.85, "bright": 1.1}
"""Gain on all colours."""
LIGHT_CHANGES: Mapping[str, tuple[float, float]] = {
    "steady": (1.0, 1.0),
    "dims": (1.0, 0.45),
    "brightens": (0.5, 1.0),
}
"""Gain at the start and at the end of a shot; it changes in the middle third."""
TIMES = ("day", "night")

EVENTS = ("none", "collision", "bounce", "fall", "brush")
OCCLUDERS = ("none", "post", "fence", "branch")

STILL = "still"
HELD_OUT_SHARE = 10
"""One in so many combinations is kept for evaluation."""


def is_held_out(shape: str, color: str, motion: str) -> bool:
    """Whether a combination is kept for evaluation: never in training footage.

    Args:
        shape: One of `SHAPES`.
        color: A key of `COLORS`.
        motion: A key of `DIRECTIONS`, or `still`, `falling`, `bouncing`, `painting`, `colliding`.
    """
    key = f"{shape}|{color}|{motion}".encode()
    return int.from_bytes(hashlib.sha256(key).digest()[:8]) % HELD_OUT_SHARE == 0
