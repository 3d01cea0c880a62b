from __future__ import annotations

from dataclasses import astuple
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.buckets import BucketConfig, assign, bucket_of
from pipeline.buckets.assign import RATE_SLACK, Grid
from schemas.bucket import Bucket

GRID = BucketConfig().grid()
SIDES = st.one_of(st.integers(1, 40), st.integers(1, 8192), st.sampled_from([270, 540, 720, 1080, 1440, 2160, 4320]))
LENGTHS = st.one_of(st.just(1), st.integers(1, 200), st.integers(1, 14_400))
RATES = st.fractions(Fraction(1, 2), 960, max_denominator=1001)
GRIDS = st.builds(
    Grid,
    token_budget=st.integers(1, 300_000),
    stride_t=st.sampled_from([1, 4, 6, 8]),
    cell_height=st.sampled_from([8, 16, 32]),
    cell_width=st.sampled_from([8, 16, 32]),
    max_frame_rate=st.sampled_from([8.0, 16.0, 24.0, 30.0, 60.0]),
)


def bucket(width: int, height: int, num_frames: int, rate: Fraction, grid: Grid = GRID) -> Bucket:
    return bucket_of(width, height, num_frames, num_frames / rate, grid)


def cells_at(scale: Fraction, side: int, cell: int) -> int:
    return max(1, int(scale * side / cell))


def largest(width: int, height: int, most: int, grid: Grid) -> tuple[int, int]:
    """Height and width of the largest bucket of at most `most` cells, by trying every scale at which a side changes."""
    sides = ((height, grid.cell_height), (width, grid.cell_width))
    scales = {Fraction(k * cell, side) for side, cell in sides for k in range(1, side // cell + 1)} | {Fraction(0)}
    found = {
        (scale, cells_at(scale, height, grid.cell_height), cells_at(scale, width, grid.cell_width)) for scale in scales
    }
    _, high, wide = max((scale, h, w) for scale, h, w in found if h * w <= max(1, most))
    return high * grid.cell_height, wide * grid.cell_width


@settings(deadline=None, max_examples=150)
@given(width=st.integers(1, 1200), height=st.integers(1, 1200), num_frames=LENGTHS, rate=RATES, grid=GRIDS)
def test_the_size_is_the_largest_within_the_budget(
    width: int, height: int, num_frames: int, rate: Fraction, grid: Grid
) -> None:
    found = bucket(width, height, num_frames, rate, grid)
    latent_frames = 1 + (found.frames - 1) // grid.stride_t
    assert (found.height, found.width) == largest(width, height, grid.token_budget // latent_frames, grid)


@settings(deadline=None)
@given(width=SIDES, height=SIDES, num_frames=LENGTHS, rate=RATES, grid=GRIDS)
def test_nothing_is_enlarged_and_at_most_a_cell_is_cut(
    width: int, height: int, num_frames: int, rate: Fraction, grid: Grid
) -> None:
    found = bucket(width, height, num_frames, rate, grid)
    resized = found.resize(height, width, (grid.cell_height, grid.cell_width))
    assert found.height <= resized.height <= found.height + grid.cell_height
    assert found.width <= resized.width <= found.width + grid.cell_width
    assert found.height <= max(height, grid.cell_height)
    assert found.width <= max(width, grid.cell_width)
    assert found.height % grid.cell_height == found.width % grid.cell_width == 0


@settings(deadline=None)
@given(width=SIDES, height=SIDES, num_frames=LENGTHS, rate=RATES, grid=GRIDS)
def test_the_aspect_ratio_is_kept_within_one_cell(
    width: int, height: int, num_frames: int, rate: Fraction, grid: Grid
) -> None:
    found = bucket(width, height, num_frames, rate, grid)
    # Some picture of exactly the native ratio is nowhere a cell larger, nor, but for a single cell, smaller.
    low = max(
        Fraction(found.height, height) if found.height > grid.cell_height else Fraction(0),
        Fraction(found.width, width) if found.width > grid.cell_width else Fraction(0),
    )
    assert low * height <= found.height + grid.cell_height
    assert low * width <= found.width + grid.cell_width


@settings(deadline=None)
@given(num_frames=LENGTHS, rate=RATES, grid=GRIDS)
def test_frames_lose_less_than_a_latent_frame_and_the_step_is_the_smallest(
    num_frames: int, rate: Fraction, grid: Grid
) -> None:
    found = bucket(640, 360, num_frames, rate, grid)
    taken = 1 + (num_frames - 1) // found.frame_step
    assert found.frames % grid.stride_t == 1 % grid.stride_t
    assert 0 <= taken - found.frames < grid.stride_t
    assert found.frame_rate == rate / found.frame_step
    most = grid.max_frame_rate * RATE_SLACK * (1 + 1e-9)
    if num_frames == 1:
        assert found.frame_step == 1
    else:
        assert rate / found.frame_step <= most
        assert found.frame_step == 1 or rate / (found.frame_step - 1) >= most * (1 - 1e-8)


@settings(deadline=None)
@given(width=SIDES, height=SIDES, num_frames=LENGTHS, rate=RATES, grid=GRIDS)
def test_the_budget_is_broken_only_by_more_latent_frames_than_it_has_tokens(
    width: int, height: int, num_frames: int, rate: Fraction, grid: Grid
) -> None:
    found = bucket(width, height, num_frames, rate, grid)
    latent_frames = 1 + (found.frames - 1) // grid.stride_t
    tokens = latent_frames * (found.height // grid.cell_height) * (found.width // grid.cell_width)
    assert tokens <= max(grid.token_budget, latent_frames)


SIZES = {
    "4:3": (640, 480),
    "1080p": (1920, 1080),
    "portrait": (1080, 1920),
    "square": (1080, 1080),
    "2.39:1": (4096, 1716),
    "32:9": (3840, 1080),
    "8K": (7680, 4320),
    "a strip": (8000, 24),
    "tiny": (9, 7),
}


@pytest.mark.parametrize("size", [pytest.param(size, id=name) for name, size in SIZES.items()])
@pytest.mark.parametrize("seconds", [2, 10, 60])
@pytest.mark.parametrize("rate", [24, Fraction(30000, 1001), 60, Fraction(120000, 1001), 240])
def test_every_shape_and_length_has_a_bucket_with_all_its_time(
    size: tuple[int, int], seconds: int, rate: Fraction
) -> None:
    num_frames = int(seconds * rate)
    found = bucket(*size, num_frames, Fraction(rate))
    assert 24 <= found.frame_rate <= 30 * Fraction(RATE_SLACK)
    assert (found.frames - 1) / found.frame_rate > seconds - 5 / found.frame_rate - 1 / rate
    assert found.num_tokens((4, 8, 8), (1, 2, 2)) <= GRID.token_budget


@pytest.mark.parametrize(
    ("size", "num_frames", "rate", "expected"),
    [
        pytest.param((1920, 1080), 1, Fraction(25), (1, 1072, 1920, 1), id="a picture keeps its size"),
        pytest.param((1280, 720), 81, Fraction(16), (81, 720, 1280, 1), id="Wan's largest fills the budget"),
        pytest.param((1920, 1080), 300, Fraction(30), (297, 384, 672, 1), id="ten seconds of 1080p"),
        pytest.param((1920, 1080), 600, Fraction(60), (297, 384, 672, 2), id="the same at twice the rate"),
        pytest.param((320, 240), 60, Fraction(30), (57, 240, 320, 1), id="a small clip is left alone"),
    ],
)
def test_buckets_of_common_clips(
    size: tuple[int, int], num_frames: int, rate: Fraction, expected: tuple[int, int, int, int]
) -> None:
    found = bucket(*size, num_frames, rate)
    assert (found.frames, found.height, found.width, found.frame_step) == expected


def test_a_rate_counted_in_milliseconds_is_not_halved() -> None:
    assert bucket_of(640, 360, 61, Fraction(2010, 1000), GRID).frame_step == 1


def test_the_rate_of_a_clip_of_variable_rate_is_that_of_its_own_frames() -> None:
    found = bucket_of(640, 360, 90, Fraction(2), GRID)
    assert (found.frame_step, found.frame_rate) == (2, Fraction(45, 2))


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.integers(-(2**63), 2**63 - 1)] * 6), min_size=1, max_size=20))
def test_any_numbers_give_a_bucket_and_each_clip_its_own(rows: list[tuple[int, ...]]) -> None:
    columns = [np.array(column, np.int64) for column in zip(*rows, strict=True)]
    together = assign(*columns, GRID)
    for k, row in enumerate(rows):
        alone = assign(*([value] for value in row), GRID)
        assert [int(column[k]) for column in astuple(together)] == [int(column[0]) for column in astuple(alone)]
        assert all(int(column[0]) > 0 for column in astuple(alone))
