"""Black borders: bars above, below and beside the picture, and the crop that takes them off.

Evidence is, for each row and column of native luma, the share of its pixels that are lighter than black, in each
frame that was looked at. A bar's share is 0 in every frame; a line of text inside a bar lights up a small part of its
rows; the picture begins where the share rises at once to what it is further in. A dark picture rises slowly, or not
at all: there the clip's own evidence is too weak and the whole video's is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Shares = npt.NDArray[np.floating]
Bytes = npt.NDArray[np.uint8]

_DARK: Final = 0.02
"""Share of light pixels up to which a line is black: specks of noise."""
_TEXT: Final = 0.6
"""Share of light pixels that text inside a bar does not reach: a full line of bold letters reaches 0.45."""
_RISE: Final = 0.5
"""The picture begins where the share reaches this part of what it is just inside."""
_INSIDE: Final = 0.03
"""How far inside, as a share of the side, `_RISE` compares."""
_SPECKS: Final = 0.1
"""Share of light pixels below which a line beside a picture's edge may be what a poor encoding lets ring over it."""
_RINGING_PX: Final = 16
"""How far such ringing reaches: the size of a large transform."""
_DEEPEST: Final = 0.45
"""No bar is deeper than this share of the side."""
_THINNEST: Final = 0.2
"""What is left between bars is no less of the side: scope film in a portrait frame leaves 0.24, a title less."""
_SYMMETRY: Final = 0.01
"""How closely opposite bars agree, as a share of the side (but 3 lines at least)."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A rectangle in pixels; `x` and `y` are its left upper corner."""

    x: int
    y: int
    width: int
    height: int

    @property
    def num_pixels(self) -> int:
        """Its area."""
        return self.width * self.height


def find_crop(rows: Bytes, columns: Bytes, video_rows: Bytes, video_columns: Bytes) -> Crop:
    """The part of a clip's stored picture that is not border.

    Args:
        rows: Share of light pixels of each row in each look at the clip, uint8 (n, H), in 1/255.
        columns: The same of columns, uint8 (n, W).
        video_rows: The same in each look at the whole video, or the largest of them, (m, H).
        video_columns: (m, W).

    Returns:
        The whole picture where no border is certain.
    """
    top, bottom = _bars(_lit(rows), _lit(video_rows))
    left, right = _bars(_lit(columns), _lit(video_columns))
    height, width = rows.shape[1], columns.shape[1]
    return Crop(left, top, width - left - right, height - top - bottom)


def _lit(shares: Bytes) -> Shares:
    """The evidence of several looks: the largest share that more than one of them (of many) shows."""
    largest = np.sort(shares, axis=0)[-1 if len(shares) < 8 else -2]
    return np.asarray(largest / 255.0)


def _bars(own: Shares, video: Shares) -> tuple[int, int]:
    """How deep the bars at both ends of a profile are."""
    found, usual = _own_bars(own), _own_bars(video)
    depths = [bar if bar is not None else other or 0 for bar, other in zip(found, usual, strict=True)]
    depths = _mirrored(own, depths)
    return depths[0], depths[1]


def _own_bars(profile: Shares) -> list[int | None]:
    """How deep the bars are as far as this profile shows it; None where it is too dark to tell."""
    lines = (profile, profile[::-1])
    depths = [_depth(line) for line in lines]
    if sum(depths) > len(profile) * (1 - _THINNEST):
        return [None, None]
    return [depth if _is_certain(line, depth) else None for line, depth in zip(lines, depths, strict=True)]


def _depth(profile: Shares) -> int:
    """The depth of the bar at the beginning of a profile, 0 where it begins with picture or is black throughout."""
    limit = int(len(profile) * _DEEPEST)
    if profile[0] > _DARK and not _is_fringe(profile):
        return 0
    lit = np.flatnonzero(profile[: limit + 1] > _DARK)
    for start in lit:
        inside = _inside(profile, int(start))
        if profile[start] >= max(_DARK, _RISE * inside) and not _is_ringing(profile, int(start)):
            return int(start)
    return 0


def _is_ringing(profile: Shares, start: int) -> bool:
    """Whether a line with a few specks only lies beside the edge of a picture that is lit all over."""
    beside = profile[start + 1 : start + 1 + _RINGING_PX]
    edge = int(np.argmax(beside >= _RISE))
    return bool(profile[start] < _SPECKS and beside[edge] >= _RISE and (beside[:edge] < _SPECKS).all())


def _is_fringe(profile: Shares) -> bool:
    """Whether only the outermost lines are lit, as some captures leave them."""
    return bool(len(profile) > 64 and (profile[2:8] <= _DARK).all())


def _inside(profile: Shares, start: int) -> float:
    """The usual share just inside a line."""
    reach = max(4, round(len(profile) * _INSIDE))
    return float(np.median(profile[start + 1 : start + 1 + reach]))


def _is_certain(profile: Shares, depth: int) -> bool:
    """Whether a profile shows where the picture begins: at once, or behind a bar with a straight edge.

    Such a bar is black to its last lines, and the picture is lit over half of each line: a title on black is not.
    """
    if depth == 0:
        return bool(profile[0] > _DARK) and not _is_fringe(profile)
    outside = float(np.median(profile[max(0, depth - _RINGING_PX) : depth]))
    return outside <= _DARK and _inside(profile, depth) >= 0.5 and profile[depth : depth + 3].max() >= 0.2


def _mirrored(profile: Shares, depths: list[int]) -> list[int]:
    """Deepen the bar that holds text to the depth of the one opposite, where the picture's edge shows there."""
    near = max(3, round(len(profile) * _SYMMETRY))
    for side, line in enumerate((profile, profile[::-1])):
        other = depths[1 - side]
        if depths[side] >= other - near:
            continue
        for depth in sorted(range(max(2, other - near), other + near + 1), key=lambda d: abs(d - other)):
            outer = line[:depth]
            text_only = outer.max() <= _TEXT and np.median(outer) <= 0.25
            step = _inside(line, depth) - float(np.max(line[max(0, depth - 2) : depth]))
            if text_only and step >= 0.25 and line[depth] >= _RISE * _inside(line, depth):
                depths[side] = depth
                break
    return depths
