from __future__ import annotations

import math

import numpy as np
import pytest

from infra.demo.shapes import area, bite_places, bitten, outline
from infra.demo.vocabulary import SHAPES


@pytest.mark.parametrize("shape", SHAPES)
def test_a_bite_takes_what_lies_in_its_circle_and_leaves_the_rest(shape: str) -> None:
    for x, y in bite_places(shape, 0.28, 0.11, 0.27):
        points = bitten(shape, x, y, 0.28)
        away = np.hypot(*(points - (x, y)).T)
        assert away.min() > 0.28 - 1e-9
        on_circle = np.isclose(away, 0.28)
        assert on_circle.sum() >= 14
        assert 0.11 <= 1 - area(points) / area(outline(shape)) <= 0.27


def test_half_a_disc_is_bitten_out_of_the_side_of_a_square() -> None:
    points = bitten("square", 0.5, 0.0, 0.28)
    assert 1 - area(points) == pytest.approx(0.5 * math.pi * 0.28**2, abs=0.004)


def test_every_shape_can_be_bitten() -> None:
    assert all(bite_places(shape, 0.28, 0.11, 0.27) for shape in SHAPES)


@pytest.mark.parametrize(
    ("x", "y", "radius"),
    [
        pytest.param(2.0, 0.0, 0.28, id="beside it"),
        pytest.param(0.0, 0.0, 0.1, id="a hole"),
        pytest.param(0.0, 0.0, 2.0, id="all of it"),
        pytest.param(0.0, 0.0, 0.45, id="through more than one side"),
    ],
)
def test_what_is_no_piece_at_the_edge_is_refused(x: float, y: float, radius: float) -> None:
    with pytest.raises(ValueError, match="takes no piece out of the edge of a cross"):
        bitten("cross", x, y, radius)
