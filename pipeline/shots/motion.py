"""How unlike two pictures are beyond what motion and light explain."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.shots.signals import Floats, Signals, Thumbs

MOST_KEPT = 0.5
"""Where more of the picture stays as it is, see `kept_share`, it is the same shot with something put over
it."""
STEPS_X = (-6, -4, -2, -1, 0, 1, 2, 4, 6)
STEPS_Y = (-4, -2, -1, 0, 1, 2, 4)
"""Where a block is looked for, in thumbnail pixels: up to an eighth of the width to each side."""
_SCALE = 40.0
"""Levels per standard deviation in the 8-bit pictures that are compared."""
_LEAST_SPREAD = 4.0
"""Below so many levels of standard deviation a picture counts as flat: noise must not be stretched to a
picture."""
_MOST_OF_BLOCK = 1.0
"""A block counts for no more than this, so that a caption in one part of the picture does not make another
one."""
_BLACK = 24
"""Luma up to which a pixel is black."""
_SAME, _SAME_SHARE = (2.0, 8.0), 0.2
"""The difference up to which a pixel is the same: the least and the most, and the share of the contrast
between."""
_BATCH = 128


def unlikeness(thumbs: Thumbs, signals: Signals, before: npt.NDArray[np.intp], after: npt.NDArray[np.intp]) -> Floats:
    """Compare frames pairwise: block-wise best match of brightness, light and contrast taken out.

    Both pictures are brought to mean 0 and spread 1, cut in 18 blocks, and each block of one is looked for within
    `STEPS_X, STEPS_Y` in the other, in both directions.

    Args:
        thumbs: Thumbnails.
        signals: What was measured of them.
        before: Indices of K frames.
        after: Indices of K frames.

    Returns:
        K numbers: 0 for the same picture, however lit or a little moved; about 0.5 and more for unrelated
        ones.
    """
    result = np.empty(len(before), np.float32)
    for begin in range(0, len(before), _BATCH):
        part = slice(begin, begin + _BATCH)
        a, b = (_standardised(thumbs, signals, indices[part]) for indices in (before, after))
        both_ways = _residual(np.concatenate([a, b]), np.concatenate([b, a]))
        result[part] = both_ways.reshape(2, -1).max(axis=0)
    return result


def _standardised(thumbs: Thumbs, signals: Signals, indices: npt.NDArray[np.intp]) -> npt.NDArray[np.uint8]:
    """Luma of mean 0 and spread 1 as 8-bit levels around 128, (K, 27, 48)."""
    rows, columns = signals.window
    luma = np.stack([thumbs[index, rows, columns, 0] for index in indices]).astype(np.float32)
    mean = luma.mean(axis=(1, 2), keepdims=True)
    spread = np.maximum(luma.std(axis=(1, 2), keepdims=True), _LEAST_SPREAD)
    if luma.shape[1:] != (27, 48):
        luma = np.stack([cv2.resize(picture, (48, 27)) for picture in luma])
    levels: npt.NDArray[np.uint8] = np.clip((luma - mean) * (_SCALE / spread) + 128.0, 0, 255).astype(np.uint8)
    return levels


def _residual(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> Floats:
    """Mean over blocks of `a` of the smallest mean difference to `b` moved, in standard deviations, (K,)."""
    num, height, width = a.shape
    reach_x, reach_y = max(STEPS_X), max(STEPS_Y)
    padded = np.pad(b, ((0, 0), (reach_y, reach_y), (reach_x, reach_x)), mode="edge")
    flat = a.reshape(num * height, width)
    best = np.full((num * 3, 6), 255, np.uint8)
    for dy in STEPS_Y:
        for dx in STEPS_X:
            top, left = reach_y + dy, reach_x + dx
            moved = padded[:, top : top + height, left : left + width].reshape(num * height, width)
            difference = cv2.absdiff(flat, moved)
            blocks = cv2.resize(difference, (6, num * 3), interpolation=cv2.INTER_AREA)
            best = np.minimum(best, blocks)
    capped = np.minimum(best, np.uint8(_SCALE * _MOST_OF_BLOCK))
    means: Floats = capped.reshape(num, -1).mean(axis=1, dtype=np.float32) / np.float32(_SCALE)
    return means


def kept_share(thumbs: Thumbs, before: npt.NDArray[np.intp], after: npt.NDArray[np.intp]) -> Floats:
    """Share of the pixels, black ones aside, that stay as they are.

    A caption, a counter or a window on a screen changes a part and leaves the rest exactly; another picture leaves
    hardly anything.

    Args:
        thumbs: Thumbnails.
        before: Indices of K frames.
        after: Indices of K frames.

    Returns:
        K numbers from 0 to 1.
    """
    result = np.zeros(len(before), np.float32)
    for k, (a, b) in enumerate(zip(before, after, strict=True)):
        old, new = np.ascontiguousarray(thumbs[a]), np.ascontiguousarray(thumbs[b])
        lit = np.maximum(old[:, :, 0], new[:, :, 0]) > _BLACK
        # What is the same must be small against what the picture shows: in the dark all pictures are near
        # each other.
        contrast = min(float(old[:, :, 0].std()), float(new[:, :, 0].std()))
        same = cv2.absdiff(old, new).max(axis=2) <= np.clip(_SAME_SHARE * contrast, *_SAME)
        result[k] = (same & lit).sum() / max(1, int(lit.sum()))
    return result
