from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from pipeline.scan.upright import upright
from schemas import Probe

PROBE = Probe(
    stream_index=0,
    container="mov",
    codec="h264",
    pixel_format="yuv420p",
    width=64,
    height=32,
    coded_width=64,
    coded_height=32,
    rotation_deg=0,
    frame_rate=None,
    is_vfr=None,
    is_image=False,
    num_frames=None,
    duration_s=None,
    has_audio=False,
    color_primaries="",
    color_transfer="",
    color_matrix="",
    color_range="",
    field_order="",
)


def jpeg_with_a_bright_corner() -> bytes:
    """Bright at the top left, in a picture of 64 x 32."""
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[:16, :32] = 255
    return cv2.imencode(".jpg", picture)[1].tobytes()


def bright_corner(jpeg: bytes) -> tuple[str, tuple[int, int]]:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    height, width = picture.shape
    rows = ("top", picture[: height // 2]), ("bottom", picture[height // 2 :])
    row, half = max(rows, key=lambda one: one[1].mean())
    columns = ("left", half[:, : width // 2]), ("right", half[:, width // 2 :])
    return f"{row} {max(columns, key=lambda one: one[1].mean())[0]}", (width, height)


@pytest.mark.parametrize(
    ("how", "corner", "size"),
    [
        pytest.param({"rotation_deg": 90}, "top right", (32, 64), id="a quarter clockwise"),
        pytest.param({"rotation_deg": 180}, "bottom right", (64, 32), id="upside down"),
        pytest.param({"rotation_deg": 270}, "bottom left", (32, 64), id="a quarter back"),
        pytest.param({"is_mirrored": True}, "top right", (64, 32), id="mirrored"),
        pytest.param({"is_mirrored": True, "rotation_deg": 90}, "bottom right", (32, 64), id="mirrored, then turned"),
        pytest.param({"sample_aspect": Fraction(3, 2)}, "top left", (96, 32), id="wide samples"),
        pytest.param(
            {"sample_aspect": Fraction(2), "rotation_deg": 90}, "top right", (32, 128), id="wide, then turned"
        ),
    ],
)
def test_a_preview_is_what_a_player_shows(how: dict[str, object], corner: str, size: tuple[int, int]) -> None:
    probe = replace(PROBE, **how)  # type: ignore[arg-type]
    assert bright_corner(upright(jpeg_with_a_bright_corner(), probe, 90)) == (corner, size)


def test_an_upright_picture_keeps_its_bytes() -> None:
    jpeg = jpeg_with_a_bright_corner()
    assert upright(jpeg, PROBE, 90) is jpeg
