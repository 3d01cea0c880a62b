"""The total function from native size, rate and length to a bucket, over arrays of clips.

Size. The picture is measured in cells of `stride x patch` pixels. At a scale s <= 1 it covers
`h(s) = max(1, floor(s * height / cell_height))` by `w(s) = max(1, floor(s * width / cell_width))` whole cells; the
bucket is that of the largest scale at which `h(s) * w(s)`, times the latent frames, is within the budget. So nothing is
enlarged, and after the resize less than one cell is cut off a side. The one exception: a side that is, or at the
budget's scale comes, below one cell is stretched to one cell, because there is nothing smaller. A clip with more latent
frames than the budget has tokens gets one cell and is over the budget; `check_budget` refuses configs that make such.

Time. Every `frame_step`-th frame is taken, the smallest step at which the rate is at most `max_frame_rate`, and of
those the first `1 + stride_t * k`, with the largest k. The rate is that of the clip's own frames and duration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from schemas.bucket import Bucket

Ints = npt.NDArray[np.int64]

RATE_SLACK = 1.02
"""How far above `max_frame_rate` a rate counts as equal to it: containers that count in milliseconds, and phones, give
30.01 to 30.5 where 30 is meant, and half of that would be lost by taking every second frame."""
_LARGEST = 2**30
"""Sides and frames beyond it count as it, so that products fit 64 bits; no decoder gives such."""
_LARGEST_TERM = 2**44
"""Of a rate's fraction."""
_LARGEST_STEP = 2**18


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The grid of `VAE stride x patch`, and what must fit on it."""

    token_budget: int
    stride_t: int
    """Frames that share a latent frame."""
    cell_height: int
    """Pixels a token covers."""
    cell_width: int
    max_frame_rate: float
    """Frames a second."""


@dataclass(frozen=True, slots=True)
class BucketArrays:
    """One bucket a clip, column by column, int64 (clips,)."""

    frames: Ints
    height: Ints
    width: Ints
    frame_rate_num: Ints
    frame_rate_den: Ints
    frame_step: Ints
    num_tokens: Ints


def bucket_of(width: int, height: int, num_frames: int, duration_s: Fraction, grid: Grid) -> Bucket:
    """The bucket of one clip.

    Args:
        width: Native, in pixels, black borders cut off.
        height: Native, in pixels, black borders cut off.
        num_frames: How many frames it holds.
        duration_s: How long it is.
        grid: The grid and its budget.
    """
    ticks, base = [duration_s.numerator], duration_s.denominator
    found = assign([width], [height], [num_frames], ticks, [1], [base], grid)
    rate = Fraction(int(found.frame_rate_num[0]), int(found.frame_rate_den[0]))
    return Bucket(int(found.frames[0]), int(found.height[0]), int(found.width[0]), rate, int(found.frame_step[0]))


def assign(
    width: Sequence[int] | Ints,
    height: Sequence[int] | Ints,
    num_frames: Sequence[int] | Ints,
    ticks: Sequence[int] | Ints,
    time_base_num: Sequence[int] | Ints,
    time_base_den: Sequence[int] | Ints,
    grid: Grid,
) -> BucketArrays:
    """The buckets of many clips.

    Args:
        width: Native, in pixels, black borders cut off; anything below 1 counts as 1, here and below.
        height: Native, in pixels, black borders cut off.
        num_frames: How many frames each holds.
        ticks: How long each is, in ticks of its time base.
        time_base_num: Seconds a tick: numerator.
        time_base_den: Seconds a tick: denominator.
        grid: The grid and its budget.
    """
    frames_in = _counts(num_frames)
    rate_num, rate_den = _ratio(frames_in, _positive(ticks), _positive(time_base_num), _positive(time_base_den))
    rate = rate_num / rate_den
    # A single frame has no rate to speak of.
    step = np.where(frames_in > 1, np.ceil(rate / (grid.max_frame_rate * RATE_SLACK)), 1)
    step = np.clip(step, 1, _LARGEST_STEP).astype(np.int64)
    latent_frames = 1 + (frames_in - 1) // step // grid.stride_t
    cells_h, cells_w = _cells(_counts(height), _counts(width), grid.token_budget // latent_frames, grid)
    den = rate_den * step
    shared = np.gcd(rate_num, den)
    return BucketArrays(
        frames=1 + (latent_frames - 1) * grid.stride_t,
        height=cells_h * grid.cell_height,
        width=cells_w * grid.cell_width,
        frame_rate_num=rate_num // shared,
        frame_rate_den=den // shared,
        frame_step=step,
        num_tokens=latent_frames * cells_h * cells_w,
    )


def _cells(height: Ints, width: Ints, most: Ints, grid: Grid) -> tuple[Ints, Ints]:
    """Cells of the largest picture of at most `most` cells: at least one a side."""
    most = np.maximum(most, 1)
    full_h = np.maximum(height // grid.cell_height, 1)
    full_w = np.maximum(width // grid.cell_width, 1)
    # Sides in cells at the scale of which the area is exactly `most`: whole cells of it are no more than that.
    scale = np.minimum(np.sqrt(most / (height / grid.cell_height * (width / grid.cell_width))), 1) * (1 - 1e-12)
    cells_h = np.floor(scale * height / grid.cell_height).astype(np.int64)
    cells_w = np.floor(scale * width / grid.cell_width).astype(np.int64)
    # Unless one side is less than a cell: then it has one, and the other side has the rest.
    cells_h, cells_w = (
        np.clip(cells_h, 1, np.where(cells_w < 1, most, full_h)),
        np.clip(cells_w, 1, np.where(cells_h < 1, most, full_w)),
    )
    changing = np.arange(len(height))
    while len(changing):
        h, w = cells_h[changing], cells_w[changing]
        limit = most[changing]
        # Which side gains the next cell as the scale grows; both where they gain it at the same scale. One that gains
        # many before the other gains its next takes them all at once.
        at_h = (h + 1) * grid.cell_height * width[changing]
        at_w = (w + 1) * grid.cell_width * height[changing]
        many_h = np.minimum((at_w - 1) // (grid.cell_height * width[changing]), limit // w)
        many_w = np.minimum((at_h - 1) // (grid.cell_width * height[changing]), limit // h)
        next_h = np.where(at_h < at_w, np.minimum(many_h, full_h[changing]), h + (at_h == at_w))
        next_w = np.where(at_w < at_h, np.minimum(many_w, full_w[changing]), w + (at_h == at_w))
        grown = (next_h > h) | (next_w > w)
        grown &= (next_h <= full_h[changing]) & (next_w <= full_w[changing]) & (next_h * next_w <= limit)
        changing = changing[grown]
        cells_h[changing], cells_w[changing] = next_h[grown], next_w[grown]
    return cells_h, cells_w


def _ratio(frames: Ints, ticks: Ints, time_base_num: Ints, time_base_den: Ints) -> tuple[Ints, Ints]:
    """Frames a second as a fraction in lowest terms, or within a millionth of it where its terms would be too large."""
    shared, base_shared = np.gcd(frames, ticks), np.gcd(time_base_num, time_base_den)
    num_parts = frames // shared, time_base_den // base_shared
    den_parts = ticks // shared, time_base_num // base_shared
    crossed, base_crossed = np.gcd(num_parts[0], den_parts[1]), np.gcd(num_parts[1], den_parts[0])
    num_parts = num_parts[0] // crossed, num_parts[1] // base_crossed
    den_parts = den_parts[0] // base_crossed, den_parts[1] // crossed
    # As floats, which tell how large the products are without being wrong by a turn of the clock.
    num, den = (parts[0] * parts[1].astype(np.float64) for parts in (num_parts, den_parts))
    fits = (num <= _LARGEST_TERM) & (den <= _LARGEST_TERM)
    rate = num / den
    coarse = np.where(rate < 1e6, 1_000_000, 1)
    rough = np.clip(np.round(rate * coarse), 1, _LARGEST_TERM).astype(np.int64)
    return (
        np.where(fits, num_parts[0] * num_parts[1], rough),
        np.where(fits, den_parts[0] * den_parts[1], coarse),
    )


def _counts(values: Sequence[int] | Ints) -> Ints:
    return np.clip(np.asarray(values, np.int64), 1, _LARGEST)


def _positive(values: Sequence[int] | Ints) -> Ints:
    return np.maximum(np.asarray(values, np.int64), 1)
