"""Naming a colour of the world whatever the light: by its direction in RGB, not by its length."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from infra.demo.render import DAY, NIGHT
from infra.demo.vocabulary import COLORS

Floats = npt.NDArray[np.float32]

NAMES = tuple(COLORS)


def _prototypes() -> Floats:
    colors = np.array(list(COLORS.values()), np.float32)
    lit = np.concatenate([colors * np.array(tint, np.float32) for tint in (DAY, NIGHT)])
    return np.asarray(lit / np.linalg.norm(lit, axis=1, keepdims=True), np.float32)


_PROTOTYPES = _prototypes()
"""Unit vectors of every colour, by day and then by night, (2 x colours, 3)."""


def angles(pixels: npt.ArrayLike) -> Floats:
    """How far pixels are from each colour of the world, in degrees, the nearer of day and night.

    Args:
        pixels: RGB, (..., 3).

    Returns:
        (..., number of colours), in the order of `NAMES`.
    """
    rgb = np.asarray(pixels, np.float32)
    length = np.linalg.norm(rgb, axis=-1, keepdims=True)
    cosines = rgb @ _PROTOTYPES.T / np.maximum(length, 1e-3)
    nearer = np.maximum(cosines[..., : len(NAMES)], cosines[..., len(NAMES) :])
    return np.asarray(np.degrees(np.arccos(np.clip(nearer, -1, 1))), np.float32)
