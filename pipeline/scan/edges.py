"""How steep a picture's steepest edges are: tells defocus from low contrast, which the Laplacian's variance cannot.

An edge in focus climbs its whole step within about a pixel, however small the step; a defocused one takes several.
So slope is compared with the step around it, and only where the step is among the picture's largest.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.media.planes import THUMB_HEIGHT, THUMB_WIDTH

Maps = npt.NDArray[Any]

_NOISE_SIGMA_PX: Final = 0.7
"""Softens the sensor's noise, which is as sharp as any edge."""
_FINENESS: Final = 16
"""Parts of a level."""
_LEAST_STEP: Final = 8.0
"""Levels below which a step is noise."""
_STEP_SHARE: Final = 0.6
"""Of a large step of the picture (the 90th percentile), from which on a step counts."""
_STEEPEST: Final = 98
"""Percentile of the edges that counts: where something is in focus, a few edges show it."""
_FEWEST_CELLS: Final = 5


def edge_map(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The lightest, the darkest and the steepest pixel of each square cell, float32 (h, w, 3), in levels (a pixel).

    Args:
        grey: Luma of the preview, uint8 (H, W).
    """
    # In whole numbers: OpenCV's filters over floats do not round alike every time.
    soft = cv2.GaussianBlur(grey.astype(np.uint16) * _FINENESS, (0, 0), _NOISE_SIGMA_PX)
    # Twelve bits: signed numbers of sixteen hold the slopes too, and are twice as fast as floats.
    signed = soft.view(np.int16)
    across, down = (cv2.Sobel(signed, cv2.CV_16S, *way).astype(np.float32) for way in ((1, 0), (0, 1)))
    slope = cv2.multiply(across, across)
    cv2.accumulateSquare(down, slope)
    height, width = grey.shape
    side = max(1, min(width // THUMB_WIDTH, height // THUMB_HEIGHT))
    rows, columns = height // side, width // side

    def cells(picture: Maps, reduce: np.ufunc) -> Maps:
        # Rows first: that runs along memory.
        of_rows = reduce.reduce(picture[: rows * side, : columns * side].reshape(rows, side, columns * side), axis=1)
        return np.asarray(reduce.reduce(of_rows.reshape(rows, columns, side), axis=2))

    steepest = np.sqrt(cells(slope, np.maximum)) / 8
    values = np.stack([cells(soft, np.maximum), cells(soft, np.minimum), steepest], axis=-1)
    return np.asarray(values / _FINENESS, np.float32)


def edge_sharpness(edges: Maps) -> float | None:
    """Slope over step of the steepest edges, 0 (all is blurred) to about 0.5; None for a picture without an edge.

    Args:
        edges: A part of what `edge_map` gave, (h, w, 3).
    """
    near = np.ones((3, 3), np.uint8)
    light, dark, slope = (np.ascontiguousarray(edges[..., k], np.float32) for k in range(3))
    step = cv2.dilate(light, near) - cv2.erode(dark, near)
    counts = step >= max(_LEAST_STEP, _STEP_SHARE * float(np.percentile(step, 90)))
    if np.count_nonzero(counts) < _FEWEST_CELLS:
        return None
    return float(np.percentile(slope[counts] / step[counts], _STEEPEST))
