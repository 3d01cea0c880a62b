"""A mark over a film, told from the film by staying where it is: no network, and nothing to learn.

Source: after Dekel et al. 2017, On the Effectiveness of Visible Watermarks, section 3.1: the median over pictures of
their gradients keeps what all have in common. There the pictures of a collection differ entirely; those of one clip
need not, so here a mark counts only where the film around it changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.scorers.scorer import Picture

MIN_VIEWS = 3
"""A median of two is their mean, which keeps the edges of both."""
_ALIKE = 0.7
"""Correlation of two pictures, seen coarsely, from which on they show the same view: 0.8 to 1 with a camera that stands
or drifts, also where something moves in front of it; below 0.6 mostly once it has turned to something else."""
_COARSE_PX = 24
_SIDE_PX = 384
"""Longer side at which pictures are compared; larger ones are shrunk."""
_MIN_EDGE = 2.0
"""Least common gradient of a mark, in levels a pixel: white at 15 % over mid grey, blurred, gives 3."""
_MIN_COSINE = 0.9
"""Of the angle between a picture's gradient and the common direction; by chance one picture in seven has it."""
_MIN_SPECK = 6
"""Edge pixels that touch each other; fewer agree by chance wherever leaves or water move."""
_MIN_CHANGE = 10.0
"""Levels between the lightest and the darkest of a place over time, from which on the film counts as changing there.
Noise of compression gives 2 to 4."""
_JOIN = 0.03
"""Edges nearer than this share of the shorter side belong to one mark: the gap between letters."""
_AROUND = 0.06
"""Width of the frame around a mark in which the film must change, as a share of the shorter side."""

_AGREES = (0.85, 0.95)
"""Length of the mean of gradients over their mean length: below the first they go different ways, from the second on
they go the same way."""
_ALIKE_STRENGTH = (0.3, 0.6)
"""Least over most length of gradients, likewise."""
_BLURRED = 0.07
"""Standard deviation of what is taken off an overlay, as a share of the shorter side: lettering is finer."""
_LEAST_GRADIENT = 1.0
"""Levels a pixel below which there is nothing to agree on."""

Grey = npt.NDArray[np.float32]
"""float32 (height, width), 0 to 255."""
Flags = npt.NDArray[np.bool_]
"""bool (height, width)."""


@dataclass(frozen=True, slots=True)
class Common:
    """What the pictures of a clip have in common."""

    gradient: npt.NDArray[np.float32]
    """float32 (height, width, 2): median over the pictures, in levels a pixel."""
    is_edge: Flags
    """Where all pictures show the same clear edge."""
    changes: Flags
    """Where the film changes over time, about each pixel."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A group of edges that all pictures have in common, and what speaks for its being a mark."""

    num_edge_pixels: int
    density: float
    """Of those pixels in the group, 0 to 1: a tenth and more in lettering, less where edges agree by chance."""
    area_ratio: float
    """Of the box around it, as a share of the picture."""
    changing_around: float
    """Share of the frame around it where the film changes, 0 to 1."""
    edges_around: float
    """Share of that frame that are common edges too, 0 to 1."""
    roundness: float
    """Least over most gradient energy by direction, 0 for a straight line, 1 for a ring: a camera that follows a
    straight edge keeps it in its place, as it keeps no letters."""


def distinct(pictures: Sequence[Picture]) -> list[Picture]:
    """Those of the pictures that show another view than all before them.

    Over one view nothing tells a mark from a sign in the scene.
    """
    kept: list[Picture] = []
    looks: list[Any] = []
    for picture in pictures:
        grey = cv2.cvtColor(
            cv2.resize(picture, (_COARSE_PX, _COARSE_PX), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY
        )
        look = grey.astype(np.float32).ravel()
        look -= look.mean()
        norm = float(np.linalg.norm(look))
        if norm < _COARSE_PX:
            # One plain colour: less than one level of contrast.
            continue
        look /= norm
        if all(float(look @ other) < _ALIKE for other in looks):
            kept.append(picture)
            looks.append(look)
    return kept


def common(pictures: Sequence[Picture]) -> Common:
    """What the pictures have in common.

    Args:
        pictures: Different views of one size, at least `MIN_VIEWS`.
    """
    greys = np.stack([_grey(picture) for picture in pictures])
    gradients = np.stack([_gradient(grey) for grey in greys])
    strengths = np.linalg.norm(gradients, axis=-1)
    directions = gradients / np.maximum(strengths, 1e-6)[..., None]
    mean = directions.mean(axis=0)
    mean /= np.maximum(np.linalg.norm(mean, axis=-1, keepdims=True), 1e-6)
    # How steep the edge of a mark is depends on what lies under it, which way it goes does not.
    agrees = ((directions * mean).sum(axis=-1) >= _MIN_COSINE) & (strengths >= _MIN_EDGE)
    # All pictures must agree, but for one in five, where the film may be as light as the mark.
    is_edge = agrees.sum(axis=0) >= len(pictures) - len(pictures) // 5
    window = _odd(_AROUND * min(greys.shape[1:]))
    span = cv2.blur(np.ptp(_same_exposure(greys), axis=0), (window, window))
    return Common(np.median(gradients, axis=0), _without_specks(is_edge), span >= _MIN_CHANGE)


def candidates(found: Common) -> Iterator[Candidate]:
    """The groups of common edges."""
    height, width = found.is_edge.shape
    joined = _grown(found.is_edge, _JOIN)
    num_groups, groups, stats, _ = cv2.connectedComponentsWithStats(joined.astype(np.uint8))
    for group in range(1, num_groups):
        mine = groups == group
        edges = mine & found.is_edge
        around = _grown(mine, _AROUND) & ~mine
        if not around.any():
            continue
        yield Candidate(
            num_edge_pixels=int(edges.sum()),
            density=float(edges.sum() / mine.sum()),
            area_ratio=float(stats[group, cv2.CC_STAT_WIDTH] * stats[group, cv2.CC_STAT_HEIGHT]) / (height * width),
            changing_around=float(found.changes[around].mean()),
            edges_around=float(found.is_edge[around].mean()),
            roundness=_roundness(found.gradient[edges]),
        )


@dataclass(frozen=True, slots=True)
class Overlay:
    """What pictures have in common, as a picture: what lies over the film, and whatever of the film stands still."""

    picture: Grey
    """float32 (height, width), in levels about 0, without what is blurred."""
    common: Grey
    """Length of the gradients that all pictures share, float32 (height, width)."""
    usual: Grey
    """Mean length of the pictures' gradients, float32 (height, width)."""
    standing: float
    """Share of all edges that all pictures show, 0 to 1: above 0.9 the film itself stands still."""


def overlay_of(pictures: Sequence[Picture], size: tuple[int, int]) -> Overlay:
    """Rebuild what the pictures have in common from the gradients in which they agree.

    Source: Dekel et al. 2017, section 3.1 (see above): a mark comes out of a few pictures as sharp as it was drawn.

    Args:
        pictures: Of one size, at least two.
        size: Width and height at which they are compared, even.
    """
    num = len(pictures)
    total, length = np.zeros((size[1], size[0], 2), np.float32), np.zeros((num, size[1], size[0]), np.float32)
    for index, picture in enumerate(pictures):
        shrinks = size[0] < picture.shape[1]
        resized = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        grey = cv2.GaussianBlur(cv2.cvtColor(resized, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 0.8)
        steps = np.zeros_like(total)
        steps[:, :-1, 0], steps[:-1, :, 1] = np.diff(grey, axis=1), np.diff(grey, axis=0)
        total += steps
        length[index] = np.hypot(steps[..., 0], steps[..., 1])
    usual = length.mean(axis=0)
    agrees = np.linalg.norm(total, axis=-1) / num / np.maximum(usual, 1e-3)
    # One picture in five may be as light as the mark.
    length.sort(axis=0)
    alike = length[num // 5] / np.maximum(length[num - 1 - num // 5], 1e-3)
    weight = _ramp(agrees, _AGREES) * _ramp(alike, _ALIKE_STRENGTH)
    seen = usual > _LEAST_GRADIENT
    standing = float((agrees[seen] >= _AGREES[1]).mean()) if seen.any() else 1.0
    shared = total / num * weight[..., None]
    whole = _integrated(shared)
    fine = np.asarray(whole - cv2.GaussianBlur(whole, (0, 0), _BLURRED * min(size)), np.float32)
    return Overlay(fine, np.hypot(shared[..., 0], shared[..., 1]), usual, standing)


def _ramp(values: npt.NDArray[np.float32], bounds: tuple[float, float]) -> npt.NDArray[np.float32]:
    return np.asarray(np.clip((values - bounds[0]) / (bounds[1] - bounds[0]), 0, 1), np.float32)


def _integrated(steps: npt.NDArray[np.float32]) -> Grey:
    """The picture whose steps to the right and downwards come nearest to these: Poisson's equation, by cosines."""
    height, width = steps.shape[:2]
    sources = steps.sum(axis=-1)
    sources[:, 1:] -= steps[:, :-1, 0]
    sources[1:] -= steps[:-1, :, 1]
    down, across = (2 * np.cos(np.pi * np.arange(count) / count) - 2 for count in (height, width))
    scale = (down[:, None] + across).astype(np.float32)
    scale[0, 0] = 1
    waves = np.asarray(cv2.dct(sources)) / scale
    waves[0, 0] = 0
    return np.asarray(cv2.idct(waves), np.float32)


def _grey(picture: Picture) -> Grey:
    scale = _SIDE_PX / max(picture.shape[:2])
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), 0.8), np.float32)


def _same_exposure(greys: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The pictures with one mean and one contrast: a lamp that flickers moves nothing."""
    means, contrasts = greys.mean(axis=(1, 2), keepdims=True), greys.std(axis=(1, 2), keepdims=True)
    common_contrast = float(np.median(contrasts))
    gain = np.where(contrasts > 1, common_contrast / np.maximum(contrasts, 1), 1)
    return np.asarray((greys - means) * np.clip(gain, 0.5, 2) + np.median(means), np.float32)


def _without_specks(flags: Flags) -> Flags:
    _, groups, stats, _ = cv2.connectedComponentsWithStats(flags.astype(np.uint8), connectivity=8)
    return np.asarray(flags & (stats[groups, cv2.CC_STAT_AREA] >= _MIN_SPECK))


def _gradient(grey: Grey) -> Any:
    across = cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.stack([across, down], axis=-1)


def _grown(flags: Flags, share: float) -> Flags:
    side = _odd(2 * share * min(flags.shape))
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (side, side))
    return cv2.dilate(flags.astype(np.uint8), kernel).astype(np.bool_)


def _odd(pixels: float) -> int:
    return max(1, int(pixels) // 2 * 2 + 1)


def _roundness(gradients: npt.NDArray[np.float32]) -> float:
    least, most = np.linalg.eigvalsh(gradients.T.astype(np.float64) @ gradients)
    return float(max(least, 0.0) / most) if most > 0 else 0.0
