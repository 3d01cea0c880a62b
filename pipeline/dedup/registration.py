"""Which part of one picture another shows: a crop, found on cosine coefficients, for many pairs at once."""

# P pairs, S samples of each, 8x8 luma coefficients (vertical, horizontal)

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.dedup.fingerprint import LUMA_ORDER

Floats = npt.NDArray[np.float32]

_POINTS: Final = 24
"""Points of a side at which the waves are multiplied; the highest product of two has 8 periods."""
_ORDERS: Final = (4, 4, 5, 6, 6)
"""Below which sum of frequencies pictures are compared, step by step: low ones agree over a wider reach."""
_WIDEST: Final = 0.13
"""How far a bound may move, as a share of the side."""
_PRIOR: Final = (2.0 / 0.06) ** 2
"""Squared levels a squared share: where the pictures do not tell, no crop is likelier than one."""

_FREQUENCY = np.arange(LUMA_ORDER)
_NORM = np.where(_FREQUENCY == 0, 1.0, np.sqrt(2.0)).astype(np.float32)
_SLOPE = (-np.pi * _NORM * _FREQUENCY).astype(np.float32)
_TOTAL = _FREQUENCY[:, None] + _FREQUENCY
_ALL = np.array([0, 1, 0, 1], np.float32)
_MIDDLES = ((np.arange(_POINTS) + 0.5) / _POINTS).astype(np.float32)
_WAVES = (_NORM[:, None] * np.cos(np.pi * _FREQUENCY[:, None] * _MIDDLES)).astype(np.float32)


def find_window(seen: Floats, whole: Floats) -> Floats:
    """The window through which `whole` looks most like `seen`, by Gauss-Newton steps.

    Args:
        seen: Luma coefficients, (P, S, 8, 8).
        whole: The same of what may show more, or less.

    Returns:
        Left, right, top and bottom bound in shares of the whole's sides, (P, 4); (0, 1, 0, 1) is all of it.
    """
    bounds = np.tile(_ALL, (len(seen), 1))
    seen, whole = np.ascontiguousarray(seen.transpose(0, 2, 1, 3)), np.ascontiguousarray(whole.transpose(0, 2, 1, 3))
    for order in _ORDERS:
        bounds = _improved(seen, whole, bounds, order)
    # A window that reaches beyond the whole was told by what is not there: the other way round it is sound.
    reverse = reversed_window(bounds)
    for order in _ORDERS[-2:]:
        reverse = _improved(whole, seen, reverse, order)
    is_wider = _area(bounds) > 1
    return np.where(is_wider[:, None], reversed_window(reverse), bounds).astype(np.float32)


def reversed_window(bounds: Floats) -> Floats:
    """Where the whole lies in a window of it: the window through which the part looks like the whole."""
    begin, end = bounds[:, 0::2], bounds[:, 1::2]
    size = end - begin
    return np.stack([-begin[:, 0] / size[:, 0], (1 - begin[:, 0]) / size[:, 0],
                     -begin[:, 1] / size[:, 1], (1 - begin[:, 1]) / size[:, 1]], axis=1).astype(np.float32)  # fmt: skip


def _area(bounds: Floats) -> Floats:
    return np.asarray((bounds[:, 1] - bounds[:, 0]) * (bounds[:, 3] - bounds[:, 2]))


def _improved(seen: Floats, whole: Floats, bounds: Floats, order: int) -> Floats:
    """One step; pictures as (P, 8, S, 8): vertical frequency, sample, horizontal frequency."""
    counted = np.where(_TOTAL > 0, np.less(_TOTAL, order), False).astype(np.float32)[:, None]
    across, d_left, d_right = _crop_matrices(bounds[:, 0], bounds[:, 1])
    down, d_top, d_bottom = _crop_matrices(bounds[:, 2], bounds[:, 3])
    by_rows, by_columns = _rows(down, whole), _columns(whole, across)
    residual = (seen - _columns(by_rows, across)) * counted
    slopes = (
        _columns(by_rows, d_left),
        _columns(by_rows, d_right),
        _rows(d_top, by_columns),
        _rows(d_bottom, by_columns),
    )
    stacked = (np.stack(slopes, axis=1) * counted).reshape(len(seen), 4, -1)
    normal = (stacked @ stacked.transpose(0, 2, 1)).astype(np.float64) + _PRIOR * np.eye(4)
    pull = (stacked @ residual.reshape(len(seen), -1, 1))[..., 0] - _PRIOR * (bounds - _ALL)
    step = np.linalg.solve(normal, pull[..., None].astype(np.float64))[..., 0]
    return np.clip(bounds + step.astype(np.float32), _ALL - _WIDEST, _ALL + _WIDEST)


def _rows(matrix: Floats, pictures: Floats) -> Floats:
    return np.asarray((matrix @ pictures.reshape(len(pictures), LUMA_ORDER, -1)).reshape(pictures.shape))


def _columns(pictures: Floats, matrix: Floats) -> Floats:
    flat = pictures.reshape(len(pictures), -1, LUMA_ORDER)
    return np.asarray((flat @ matrix.transpose(0, 2, 1)).reshape(pictures.shape))


def crop_luma(whole: Floats, bounds: Floats) -> Floats:
    """Luma coefficients of what lies within the bounds, as far as 8x8 tell; (P, S, 8, 8)."""
    across, _, _ = _crop_matrices(bounds[:, 0], bounds[:, 1])
    down, _, _ = _crop_matrices(bounds[:, 2], bounds[:, 3])
    pictures = np.ascontiguousarray(whole.transpose(0, 2, 1, 3))
    return np.asarray(_columns(_rows(down, pictures), across).transpose(0, 2, 1, 3))


def _crop_matrices(begin: Floats, end: Floats) -> tuple[Floats, Floats, Floats]:
    """The matrix that takes a side's coefficients to those of a part, and its slopes by both bounds; (P, 8, 8)."""
    place = begin[:, None] + (end - begin)[:, None] * _MIDDLES
    angle = (np.pi * place[:, None] * _FREQUENCY[:, None]).astype(np.float32)
    waves = _NORM[:, None] * np.cos(angle)
    slope = _SLOPE[:, None] * np.sin(angle)
    stacked = np.stack([waves, slope * (1 - _MIDDLES), slope * _MIDDLES], axis=1).reshape(-1, _POINTS)
    across = (stacked @ (_WAVES.T / _POINTS)).reshape(len(begin), 3, LUMA_ORDER, LUMA_ORDER).transpose(1, 0, 3, 2)
    return across[0], across[1], across[2]
