from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import pytest

from schemas import Probe

PROBE = Probe(
    stream_index=0,
    container="mov,mp4",
    codec="h264",
    pixel_format="yuv420p",
    width=1080,
    height=1920,
    coded_width=1920,
    coded_height=1080,
    rotation_deg=90,
    sample_aspect=Fraction(1),
    frame_rate=Fraction(30000, 1001),
    is_vfr=False,
    is_image=False,
    num_frames=300,
    duration_s=10.01,
    has_audio=True,
    color_primaries="bt709",
    color_transfer="bt709",
    color_matrix="bt709",
    color_range="limited",
    field_order="progressive",
)


@pytest.mark.parametrize("probe", [PROBE, replace(PROBE, frame_rate=None, num_frames=None)])
def test_a_probe_survives_the_way_through_json(probe: Probe) -> None:
    assert Probe.from_json(json.loads(json.dumps(probe.to_json()))) == probe


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(TypeError, match="colour"):
        Probe.from_json({**PROBE.to_json(), "colour": 1})
