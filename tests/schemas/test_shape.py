from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import LatentShape, PixelShape


@given(
    frames=st.integers(0, 40),
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    stride=st.tuples(st.integers(1, 8), st.sampled_from([8, 16, 32]), st.sampled_from([8, 16, 32])),
)
def test_a_latent_goes_back_to_the_pixels_it_came_from(
    frames: int, height: int, width: int, stride: tuple[int, int, int]
) -> None:
    pixels = PixelShape(1 + frames * stride[0], height * stride[1], width * stride[2])
    assert LatentShape.of(pixels, channels=16, stride=stride).to_pixels(stride) == pixels


@pytest.mark.parametrize(
    ("pixels", "stride", "patch", "tokens"),
    [
        pytest.param(PixelShape(1, 1024, 1024), (4, 8, 8), (1, 2, 2), 4_096, id="image"),
        pytest.param(PixelShape(81, 480, 832), (4, 8, 8), (1, 2, 2), 32_760, id="480p, 81 frames"),
        pytest.param(PixelShape(81, 736, 1280), (4, 16, 16), (1, 2, 2), 19_320, id="720p, stride 16"),
        pytest.param(PixelShape(121, 1088, 1920), (8, 32, 32), (1, 1, 1), 32_640, id="1088p, stride 32"),
    ],
)
def test_token_counts_are_those_of_the_published_grids(
    pixels: PixelShape, stride: tuple[int, int, int], patch: tuple[int, int, int], tokens: int
) -> None:
    assert LatentShape.of(pixels, channels=16, stride=stride).num_tokens(patch) == tokens


def test_frames_that_are_not_one_modulo_the_stride_are_refused() -> None:
    with pytest.raises(ValueError, match="1 modulo 4, got 16"):
        LatentShape.of(PixelShape(16, 64, 64), channels=16, stride=(4, 8, 8))
