from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.vae_train.clips import TrainingClip
from trainer.vae_train.config import WindowConfig
from trainer.vae_train.source import pass_order
from trainer.vae_train.window import MIDDLE, Look, grid_size, window, window_shape

UNIT = st.floats(0, 1, exclude_max=True)


def clip(width: int = 256, height: int = 144, num_frames: int = 30, rate: int = 15) -> TrainingClip:
    ticks = 1000 * num_frames // rate
    return TrainingClip(
        "c", "v", "u", "{}", False, 500, 500 + ticks, Fraction(1, 1000), num_frames, (8, 4, width, height)
    )


@settings(deadline=None)
@given(st.integers(1, 4000), st.integers(1, 4000), st.integers(1, 400), st.tuples(UNIT, UNIT, UNIT, UNIT))
def test_a_window_lies_in_its_clip_and_on_the_grid(
    width: int, height: int, num_frames: int, look: tuple[float, float, float, float]
) -> None:
    one, config = clip(width, height, num_frames), WindowConfig(frames=13, max_pixels=9216, frame_rate=7.5)
    found = window(one, Look(*look), config, (4, 32, 32))
    if width < 32 or height < 32:
        assert found is None
        return
    assert found is not None
    bucket, (x, y, wide, high) = found.bucket, found.crop
    assert bucket.height % 32 == bucket.width % 32 == 0
    assert bucket.height * bucket.width <= 9216
    assert 8 <= x <= x + wide <= 8 + width
    assert 4 <= y <= y + high <= 4 + height
    # Never enlarged.
    assert wide >= bucket.width
    assert high >= bucket.height
    assert bucket.frames % 4 == 1
    assert bucket.frames <= 13
    assert (bucket.frames, bucket.height, bucket.width) == window_shape(one, config, (4, 32, 32))
    ticks = Fraction(one.end_pts - one.start_pts, num_frames)
    left = [k for k in range(num_frames) if one.start_pts + k * ticks >= found.start_pts]
    assert len(left[:: bucket.frame_step]) >= bucket.frames


def test_frames_are_taken_at_about_the_rate() -> None:
    config = WindowConfig(frames=9, frame_rate=7.5)
    taken = {
        rate: window(clip(rate=rate, num_frames=4 * rate), MIDDLE, config, (4, 8, 8)) for rate in (5, 8, 15, 30, 60)
    }
    assert {rate: found.bucket.frame_step for rate, found in taken.items() if found} == {
        5: 1,
        8: 1,
        15: 2,
        30: 4,
        60: 8,
    }


def test_the_middle_is_all_that_fits_of_the_picture() -> None:
    found = window(clip(), MIDDLE, WindowConfig(frames=9, max_pixels=9216), (4, 32, 32))
    assert found is not None
    assert (found.start_pts, found.bucket.width, found.bucket.height) == (500, 128, 64)
    assert found.crop == (8, 4 + 8, 256, 128)


def test_a_size_keeps_about_the_aspect() -> None:
    for width, height in ((1920, 1080), (1080, 1920), (640, 480), (2048, 858)):
        wide, high = grid_size(width, height, 256 * 256, (4, 8, 8))
        assert wide / high == pytest.approx(width / height, rel=0.06)
        assert 0.9 * 256 * 256 < wide * high <= 256 * 256
    assert grid_size(64, 64, 256 * 256, (4, 8, 8)) == (64, 64)
    assert grid_size(5000, 40, 256 * 256, (4, 32, 32)) == (2048, 32)


def test_a_pass_shows_each_clip_once_in_batches_of_one_shape() -> None:
    shapes = [(9, 96, 96)] * 20 + [(9, 64, 128)] * 13 + [(1, 96, 96)] * 3
    order = pass_order(shapes, 4, np.random.default_rng(0))
    assert sorted(order) == list(range(36))
    batches = [{shapes[k] for k in order[start : start + 4]} for start in range(0, 36, 4)]
    assert [len(batch) for batch in batches] == [1] * 8 + [2]
    assert order != pass_order(shapes, 4, np.random.default_rng(1))
