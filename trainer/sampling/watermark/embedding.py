"""Put the watermark into frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import numpy.typing as npt

from trainer.sampling.watermark.carrier import GRID, Carriers, carriers, grid_of, luma_of

Picture = npt.NDArray[np.uint8]
_ROUNDS = 4
_CLOSE = 0.05
"""Steps; nearer to where it should be than that, a pattern is not corrected again."""
_MOST = 12.0
"""Levels of 255 by which no place of the grid is changed more, whatever clipping takes away."""
_MOST_ERROR = 6.0
"""Mean square of the change of a frame, in levels of 255, at most: 40.3 dB. Pictures of full black and white and pure
colours reach it, where clipping takes half of the mark away."""
_QUIETEST = 0.6
"""How much a flat place takes, relative to the average."""
_BUSY = 12.0
"""Deviation of luma, in levels of 255, at which a place takes the most."""


def mark(frames: Iterable[Picture], key: str) -> Iterator[Picture]:
    """Frames with the watermark in them, one by one, each by itself.

    Of each pattern of the key, the share in the frame is moved to the nearest of the values that mean the key's sign:
    the picture's own content does not disturb the mark, as it would disturb one that is only added. Where the picture
    is busy more is changed than where it is flat.

    Source: Chen and Wornell 2001, "Quantization index modulation", IEEE Transactions on Information Theory 47(4),
    section IV (dither modulation).

    Args:
        frames: Each uint8 (H, W, 3), display RGB.
        key: Whose mark it is.
    """
    used = carriers(key)
    for frame in frames:
        yield mark_frame(frame, used)


def mark_frame(frame: Picture, used: Carriers) -> Picture:
    """A frame with the watermark in it, uint8 (H, W, 3).

    Args:
        frame: uint8 (H, W, 3), display RGB.
        used: The patterns and signs of a key.
    """
    height, width = frame.shape[:2]
    plain = np.asarray(frame, np.float32)
    luma = luma_of(plain)
    shares = used.shares(grid_of(luma)[None])[0]
    offsets = used.signs * (used.step / 4)
    wanted = offsets + used.step * np.round((shares - offsets) / used.step)
    room = _room(luma)
    # How much the other patterns gain where one is added only as far as there is room.
    solved = np.linalg.inv((used.patterns * room) @ used.patterns.T / used.patterns.shape[1])
    change = np.zeros(GRID * GRID, np.float32)
    marked = plain
    # More than once: pixels end at 0 and 255, and enlarging the grid blurs it.
    for _ in range(_ROUNDS):
        missing = wanted - shares
        if np.abs(missing).max() < _CLOSE * used.step:
            break
        change = np.clip(change + (missing @ solved) @ used.patterns * room, -_MOST, _MOST)
        grown = cv2.resize(change.reshape(GRID, GRID), (width, height), interpolation=cv2.INTER_CUBIC)
        marked = np.clip(plain + grown[..., None], 0, 255)
        shares = used.shares(grid_of(luma_of(marked))[None])[0]
    error = float(np.square(marked - plain).mean())
    if error > _MOST_ERROR:
        marked = plain + (marked - plain) * np.float32(np.sqrt(_MOST_ERROR / error))
    return np.rint(marked).astype(np.uint8)


def _room(luma: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """How much each place of the grid takes, float32 (GRID * GRID,), of root mean square 1.

    Source: Voloshynovskiy et al. 1999, "A stochastic approach to content adaptive digital image watermarking": what
    local deviation hides.
    """
    near = (0, 0), 2.0
    mean = cv2.GaussianBlur(grid_of(luma), *near)
    square = cv2.GaussianBlur(grid_of(luma * luma), *near)
    deviation = np.sqrt(np.maximum(square - mean * mean, 0))
    room = _QUIETEST + (2 - _QUIETEST) * np.minimum(deviation / _BUSY, 1)
    return np.asarray(room / np.sqrt((room * room).mean()), np.float32).ravel()
