"""The patterns in which the watermark lies, on a grid of the whole picture.

A frame of any size is averaged onto a square grid, so that its size drops out: left to right is one unit, top to bottom
another. On the grid the patterns are cosines of a middle range of frequencies, low enough for a picture of half the
size and for the coarse steps of H.264, high enough to stay out of the picture's main content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

GRID = 64
"""Cells of the grid in each direction."""
_LOWEST, _HIGHEST = 4, 18
"""Half waves over the picture, in any direction: below are the main shapes, above what a small picture loses."""
STRENGTH = 1.8
"""Of the mark, root mean square in levels of 255 where nothing holds it back: 43 dB."""
_LUMA = np.array([[0.2126, 0.7152, 0.0722]], np.float32)
"""Of red, green and blue. Source: ITU-R BT.709-6, 3.2."""

Grids = npt.NDArray[np.float32]
"""Luma on the grid, float32 (F, GRID, GRID), 0 to 255."""


@dataclass(frozen=True, slots=True)
class Carriers:
    """What a key stands for."""

    patterns: npt.NDArray[np.float32]
    """One cosine a row, float32 (N, GRID * GRID), orthogonal, each of root mean square 1."""
    signs: npt.NDArray[np.float32]
    """Of each pattern, drawn by the key: float32 (N,), 1 or -1."""
    step: float
    """Between two values that mean the same, in levels of 255."""

    def shares(self, grids: Grids) -> npt.NDArray[np.float32]:
        """How much of each pattern is in each frame, in levels of 255, float32 (F, N)."""
        shares = grids.reshape(len(grids), -1) @ self.patterns.T / self.patterns.shape[1]
        return np.asarray(shares, np.float32)


@cache
def carriers(key: str) -> Carriers:
    """The patterns and their signs.

    Args:
        key: Another one gives other signs, and a mark that does not show under this one.
    """
    waves = [
        (down, across)
        for down in range(_HIGHEST + 1)
        for across in range(_HIGHEST + 1)
        if _LOWEST**2 <= down**2 + across**2 <= _HIGHEST**2
    ]
    places = (np.arange(GRID) + 0.5) / GRID
    cosines = np.cos(np.pi * np.arange(_HIGHEST + 1)[:, None] * places) * np.sqrt(2)
    cosines[0] = 1
    patterns = np.stack([np.outer(cosines[down], cosines[across]).ravel() for down, across in waves])
    drawn = hashlib.shake_256(key.encode()).digest(-(-len(waves) // 8))
    signs = np.unpackbits(np.frombuffer(drawn, np.uint8))[: len(waves)] * 2.0 - 1
    # What is added to a pattern is uniform over a step, of variance step ** 2 / 12.
    step = float(np.sqrt(12 / len(waves)) * STRENGTH)
    return Carriers(patterns.astype(np.float32), signs.astype(np.float32), step)


def luma_of(frame: npt.NDArray[np.uint8] | npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Luma of display RGB, float32 (H, W), 0 to 255."""
    return np.asarray(cv2.transform(np.asarray(frame, np.float32), _LUMA), np.float32).reshape(frame.shape[:2])


def grid_of(luma: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Luma averaged onto the grid, float32 (GRID, GRID)."""
    return np.asarray(cv2.resize(luma, (GRID, GRID), interpolation=cv2.INTER_AREA), np.float32)


def grids_of(frames: Iterable[npt.NDArray[np.uint8]]) -> Grids:
    """The grids of frames in display RGB, each uint8 (H, W, 3)."""
    return np.stack([grid_of(luma_of(frame)) for frame in frames])
