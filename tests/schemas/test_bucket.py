from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.bucket import Bucket, Resize

SIDE = st.integers(1, 5000)


@pytest.mark.parametrize(
    ("native", "bucket", "resize"),
    [
        pytest.param((1080, 1920), (1072, 1920), Resize(1080, 1920, 4, 0), id="1080p loses eight lines"),
        pytest.param((1080, 1920), (368, 656), Resize(369, 656, 0, 0), id="scaled until the width fits"),
        pytest.param((10, 1000), (16, 992), Resize(16, 1000, 0, 4), id="a side below one cell is stretched alone"),
        pytest.param((16, 10_000), (16, 1600), Resize(16, 1600, 0, 0), id="also where the budget brings it there"),
        pytest.param((7, 9), (16, 16), Resize(16, 16, 0, 0), id="a tiny picture"),
    ],
)
def test_a_picture_is_scaled_to_cover_its_bucket_and_cut(
    native: tuple[int, int], bucket: tuple[int, int], resize: Resize
) -> None:
    assert Bucket(1, *bucket).resize(*native, (16, 16)) == resize


@given(height=SIDE, width=SIDE)
def test_a_bucket_of_its_own_whole_cells_cuts_less_than_one(height: int, width: int) -> None:
    bucket = Bucket(1, max(1, height // 16) * 16, max(1, width // 16) * 16)
    resized = bucket.resize(height, width, (16, 16))
    assert 0 <= resized.height - bucket.height <= 16
    assert 0 <= resized.width - bucket.width <= 16
    assert resized.height <= max(16, height)
    assert resized.width <= max(16, width)


def test_tokens_are_those_of_the_published_grid() -> None:
    assert Bucket(81, 480, 832).num_tokens((4, 8, 8), (1, 2, 2)) == 32_760
