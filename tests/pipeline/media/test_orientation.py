from __future__ import annotations

import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.media.orientation import Orientation, usable_aspect

ONE = 1 << 16


def matrix(a: int, b: int, c: int, d: int) -> bytes:
    return struct.pack("=9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        pytest.param((1, 0, 0, 1), Orientation(0), id="as it is"),
        pytest.param((0, 1, -1, 0), Orientation(90), id="quarter turn clockwise, as phones write it"),
        pytest.param((-1, 0, 0, -1), Orientation(180), id="half turn"),
        pytest.param((0, -1, 1, 0), Orientation(270), id="three quarters"),
        pytest.param((-1, 0, 0, 1), Orientation(0, True), id="mirror"),
        pytest.param((1, 0, 0, -1), Orientation(180, True), id="upside down mirror"),
        pytest.param((0, 1, 1, 0), Orientation(270, True), id="transposed"),
        pytest.param((0, -1, -1, 0), Orientation(90, True), id="transposed along the other diagonal"),
        pytest.param((0, 0, 0, 0), Orientation(0), id="no matrix at all"),
        pytest.param((1, 1, 1, 1), Orientation(0), id="squashed flat"),
    ],
)
def test_the_display_matrix_is_a_flip_and_then_a_turn(
    entries: tuple[int, int, int, int], expected: Orientation
) -> None:
    assert Orientation.from_matrix(matrix(*(ONE * entry for entry in entries))) == expected


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_flip_and_turn_move_every_pixel_where_the_matrix_says(rotation: int, mirrored: bool) -> None:
    cos, sin = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[rotation]
    a, b, c, d = cos, sin, -sin, cos
    if mirrored:
        a, b = -a, -b
    seen = Orientation.from_matrix(matrix(a * ONE, b * ONE, c * ONE, d * ONE))
    assert seen == Orientation(rotation, mirrored)

    source = np.arange(6).reshape(2, 3)
    shown = np.rot90(source[:, ::-1] if mirrored else source, -rotation // 90)
    points = {(a * x + c * y, b * x + d * y): source[y, x] for y in range(2) for x in range(3)}
    left, top = min(x for x, _ in points), min(y for _, y in points)
    assert all(shown[y - top, x - left] == value for (x, y), value in points.items())


def test_an_angle_between_the_quarters_goes_to_the_nearest() -> None:
    assert Orientation.from_matrix(matrix(52339, 39441, -39441, 52339)) == Orientation(0)
    assert Orientation.from_matrix(matrix(30000, 58000, -58000, 30000)) == Orientation(90)


@given(st.binary(max_size=64))
def test_any_bytes_give_some_orientation(data: bytes) -> None:
    assert Orientation.from_matrix(data).rotation_deg in (0, 90, 180, 270)


@pytest.mark.parametrize(
    ("orientation", "size", "aspect", "expected"),
    [
        pytest.param(Orientation(), (720, 576), Fraction(16, 15), (768, 576), id="PAL"),
        pytest.param(Orientation(), (720, 480), Fraction(8, 9), (640, 480), id="NTSC"),
        pytest.param(Orientation(90), (1440, 1080), Fraction(4, 3), (1080, 1920), id="the turn comes last"),
        pytest.param(Orientation(180), (64, 48), Fraction(1), (64, 48), id="a half turn keeps the shape"),
    ],
)
def test_displayed_size(
    orientation: Orientation, size: tuple[int, int], aspect: Fraction, expected: tuple[int, int]
) -> None:
    assert orientation.displayed(*size, aspect) == expected


@pytest.mark.parametrize("told", [None, Fraction(0), Fraction(-1), Fraction(65535), Fraction(1, 65535)])
def test_an_absurd_sample_aspect_is_no_aspect(told: Fraction | None) -> None:
    assert usable_aspect(told) == 1
