"""Pictures of 16 x 9 pixels: small enough to compare every frame with many others."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.shots.signals import Thumbs

HEIGHT, WIDTH = 9, 16
Pictures = npt.NDArray[np.float32]


def coarse(thumbs: Thumbs, indices: npt.NDArray[np.intp]) -> Pictures:
    """Frames as 16 x 9 pictures, float32 (K, 432), in levels; Y, Cb, Cr side by side for each pixel."""
    stacked = np.ascontiguousarray(thumbs[indices]).reshape(len(indices) * 27, 48, 3)
    small = cv2.resize(stacked, (WIDTH, len(indices) * HEIGHT), interpolation=cv2.INTER_AREA)
    return small.reshape(len(indices), -1).astype(np.float32)
