from __future__ import annotations

import pytest

from schemas import LatentShape, PixelShape
from trainer.sampling.layout import Grid, lay_out

GRID = Grid((4, 8, 8), (1, 2, 2), 16)


@pytest.mark.parametrize(
    ("wanted", "made"),
    [
        pytest.param((1, 512, 512), (1, 512, 512), id="a picture on the grid"),
        pytest.param((97, 1080, 1920), (97, 1088, 1920), id="1080p has 8 rows too few"),
        pytest.param((97, 1920, 1080), (97, 1920, 1088), id="upright"),
        pytest.param((24, 100, 301), (25, 112, 304), id="nothing fits"),
        pytest.param((1, 2048, 2048), (1, 2048, 2048), id="a large picture"),
    ],
)
def test_the_next_larger_size_is_made(wanted: tuple[int, int, int], made: tuple[int, int, int]) -> None:
    layout = lay_out(*wanted, GRID)
    assert layout.made == made
    assert layout.latent.to_pixels(GRID.stride) == layout.made
    assert layout.tokens.num_tokens == layout.latent.num_tokens(GRID.patch)
    assert (layout.note() is None) == (wanted == made)


@pytest.mark.parametrize("side", range(16, 80))
def test_every_size_is_covered_by_less_than_a_cell_more(side: int) -> None:
    layout = lay_out(side, side, side + 1, GRID)
    for wanted, made, step in zip(layout.wanted, layout.made, (4, 16, 16), strict=True):
        assert 0 <= made - wanted < step
    above, below, left, right = layout.margins
    assert above + below + side == layout.made.height
    assert abs(above - below) <= 1
    assert left + right + side + 1 == layout.made.width


def test_what_is_cut_off_is_said() -> None:
    layout = lay_out(24, 1080, 1920, GRID)
    assert layout.wanted == PixelShape(24, 1080, 1920)
    assert layout.latent == LatentShape(16, 7, 136, 240)
    assert layout.note() == (
        "1920x1080 of 24 frames is not on the model's grid: 1920x1088 of 25 frames is made and cut to it"
    )
