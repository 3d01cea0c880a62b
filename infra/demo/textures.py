"""Procedural surfaces: walls, skies, floors. Muted, so that the objects stand out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
import numpy.typing as npt

Grid = npt.NDArray[np.float32]
Paint = npt.NDArray[np.float32]
"""A surface, (H, W, 3), 0 to 255 in neutral light."""

Rng = np.random.Generator


def noise(rng: Rng, shape: tuple[int, int], cell_px: float, octaves: int = 3) -> Grid:
    """Smooth noise of about unit deviation; the coarsest features are `cell_px` wide."""
    height, width = shape
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        cell = max(cell_px / 2**octave, 1.5)
        grid = rng.standard_normal((int(height / cell) + 4, int(width / cell) + 4), dtype=np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / np.float32(1.6**octave)
    return total


def surface(name: str, rng: Rng, width_units: float, height_units: float, px_per_unit: float) -> Paint:
    """Paint a wall, a sky or a floor.

    Args:
        name: One of the world's backgrounds or floors.
        rng: Where colours and details come from.
        width_units: Size in the world's units.
        height_units: Size in the world's units.
        px_per_unit: How finely.

    Raises:
        ValueError: There is no such surface.
    """
    if name not in _PAINTERS:
        raise ValueError(f"no surface {name!r}; there are {sorted(_PAINTERS)}")
    shape = (round(height_units * px_per_unit), round(width_units * px_per_unit))
    return np.asarray(np.clip(_PAINTERS[name](rng, shape, px_per_unit), 0, 255), np.float32)


def _rgb(red: float, green: float, blue: float) -> npt.NDArray[np.float32]:
    return np.array((red, green, blue), np.float32)


def _tint(rng: Rng, base: tuple[int, int, int], spread: float = 14) -> npt.NDArray[np.float32]:
    return np.asarray(np.array(base) + rng.normal(0, spread) + rng.normal(0, spread / 2, 3), np.float32)


def _rows(shape: tuple[int, int], unit: float) -> tuple[Grid, Grid]:
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    return y / np.float32(unit), x / np.float32(unit)


def _line(position: Grid, width: float) -> Grid:
    """1 within `width` of whole numbers, 0 elsewhere, with a soft border."""
    distance = np.abs(position - np.round(position))
    return np.asarray(np.clip((width - distance) / (0.35 * width) + 1, 0, 1), np.float32)


def _cells(rng: Rng, row: Grid, column: Grid, spread: float) -> Grid:
    """A random number for each cell of a grid."""
    i, j = np.floor(row).astype(np.int32), np.floor(column).astype(np.int32)
    table = rng.normal(0, spread, (int(i.max()) + 2, int(j.max()) + 3)).astype(np.float32)
    return np.asarray(table[i, j + 1], np.float32)


def _bricks(rng: Rng, shape: tuple[int, int], unit: float) -> Paint:
    y, x = _rows(shape, unit)
    row = y / np.float32(0.42)
    column = x / np.float32(0.95) + np.float32(0.5) * (np.floor(row) % 2)
    value = _cells(rng, row, column, 9) + 5 * noise(rng, shape, 0.15 * unit)
    mortar = np.maximum(_line(row, 0.09), _line(column, 0.04))[..., None]
    brick = _tint(rng, (148, 104, 88)) + value[..., None]
    return np.asarray(brick * (1 - mortar) + _tint(rng, (176, 168, 158), 6) * mortar, np.float32)


def _plaster(rng: Rng, shape: tuple[int, int], unit: float) -> Paint:
    base = _tint(rng, ((176, 170, 158), (150, 164, 166), (172, 156, 160))[rng.integers(3)])
    return np.asarray(base + (11 * noise(rng, shape, 1.4 * unit, 4))[..., None], np.float32)


def _boards(rng: Rng, shape: tuple[int, int], unit: float) -> Paint:
    y, x = _rows(shape, unit)
    column = x / np.float32(0.8)
    grain = cv2.resize(noise(rng, (max(shape[0] // 12, 8), shape[1]), 0.12 * unit), shape[::-1])
    value = _cells(rng, y * 0, column, 10) + 8 * grain
    gap = _line(column, 0.035)[..., None]
    return np.asarray(
        (_tint(rng, (146, 118, 88)) + value[..., None] * _rgb(1, 0.9, 0.75)) * (1 - 0.6 * gap), np.float32
    )


def _checkers(rng: Rng, shape: tuple[int, int], unit: float) -> Paint:
    y, x = _rows(shape, unit)
    cell = np.float32(rng.uniform(0.8, 1.3))
    odd = ((np.floor(y / cell) + np.floor(x / cell)) % 2)[..., None]
    odd = cv2.GaussianBlur(odd.astype(np.float32), (0, 0), 0.8)[..., None]
    light, dark = _tint(rng, (178, 178, 172)), _tint(rng, (116, 122, 130))
    return np.asarray(light * odd + dark * (1 - odd) + (4 * noise(rng, shape, unit))[..., None], np.float32)


def _stripes(rng: Rng, shape: tuple[int, int], unit: float) -> Paint:
    _, x = _rows(shape, unit)
    wave = np.clip(4 * np.sin(x * np.float32(2 * np.pi / rng.uniform(0.7, 1.4))), -1, 1)[..., None]
    return np.asarray(
        (
            _tint(rng, (160, 158, 150))
            + wave * rng.normal(0, 16, 3).astype(np.float32)
            + (4 * noise(rng, shape, unit))[..., None]
        ),
        np.float32,
    )


def _sky(rng: Rng, shape: tuple[int, int], unit: float) -> Paint:
    height = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None, None]
    blue = _tint(rng, (112, 150, 190), 8) * (1 - height) + _tint(rng, (186, 200, 210), 6) * height
    cloud = np.clip(noise(rng, shape, 2.6 * unit, 5) * 0.6, 0, 1)[..., None]
    return np.asarray(blue * (1 - cloud) + _rgb(228, 228, 226) * cloud, np.float32)


def _hills(rng: Rng, shape: tuple[int, int], unit: float) -> Paint:
    paint = _sky(rng, shape, unit)
    y, _ = _rows(shape, shape[0])
    for level, color in ((0.45, (134, 152, 160)), (0.55, (110, 132, 118)), (0.66, (92, 116, 86))):
        ridge = level + 0.05 * noise(rng, (1, shape[1]), 2.2 * unit, 4)
        inside = np.clip((y - ridge) * shape[0] / 2, 0, 1)[..., None]
        grain = (5 * noise(rng, shape, 0.4 * unit))[..., None]
        paint = np.asarray(paint * (1 - inside) + (_tint(rng, color, 6) + grain) * inside, np.float32)
    return np.asarray(paint, np.float32)


def _night(rng: Rng, shape: tuple[int, int], unit: float) -> Paint:
    height = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None, None]
    paint: Paint = _rgb(26, 30, 58) * (1 - height) + _rgb(62, 60, 88) * height
    paint = paint + (4 * noise(rng, shape, 2 * unit))[..., None]
    num_stars = int(shape[0] * shape[1] / unit**2 * 3)
    ys, xs = rng.integers(0, shape[0], num_stars), rng.integers(0, shape[1], num_stars)
    stars = np.zeros(shape, np.float32)
    stars[ys, xs] = rng.uniform(300, 1200, num_stars)
    return np.asarray(paint + cv2.GaussianBlur(stars, (0, 0), max(0.025 * unit, 0.8))[..., None], np.float32)


def _tiles(rng: Rng, shape: tuple[int, int], unit: float) -> Paint:
    y, x = _rows(shape, unit)
    cell = np.float32(rng.uniform(0.9, 1.3))
    joint = np.maximum(_line(y / cell, 0.035), _line(x / cell, 0.03))[..., None]
    tile = _tint(rng, (158, 156, 150)) + _cells(rng, y / cell, x / cell, 9)[..., None]
    return np.asarray(tile * (1 - 0.45 * joint), np.float32)


def _planks(rng: Rng, shape: tuple[int, int], unit: float) -> Paint:
    return np.asarray(_boards(rng, shape, unit) * np.float32(0.88), np.float32)


def _sand(rng: Rng, shape: tuple[int, int], unit: float) -> Paint:
    return np.asarray(_tint(rng, (180, 164, 130), 8) + (9 * noise(rng, shape, 0.9 * unit, 4))[..., None], np.float32)


def _grass(rng: Rng, shape: tuple[int, int], unit: float) -> Paint:
    value = 10 * noise(rng, shape, 0.8 * unit, 4)
    return np.asarray(_tint(rng, (98, 122, 80), 8) + value[..., None] * _rgb(0.8, 1, 0.6), np.float32)


def _carpet(rng: Rng, shape: tuple[int, int], unit: float) -> Paint:
    y, x = _rows(shape, unit)
    wave = (np.sin(y * 5) * np.sin(x * 5))[..., None] * 8
    return np.asarray(
        (
            _tint(rng, ((124, 104, 108), (104, 112, 128), (122, 118, 100))[rng.integers(3)])
            + wave
            + (5 * noise(rng, shape, 0.3 * unit))[..., None]
        ),
        np.float32,
    )


_PAINTERS: Mapping[str, Callable[[Rng, tuple[int, int], float], Paint]] = {
    "brick wall": _bricks,
    "plaster wall": _plaster,
    "wooden boards": _boards,
    "checkered wall": _checkers,
    "striped wallpaper": _stripes,
    "cloudy sky": _sky,
    "hills": _hills,
    "night sky": _night,
    "tiled floor": _tiles,
    "wooden floor": _planks,
    "sand": _sand,
    "grass": _grass,
    "carpet": _carpet,
}
