from __future__ import annotations

import json

import pytest

from pipeline.media import MediaLimits


def test_limits_survive_json() -> None:
    limits = MediaLimits(stall_s=1.5, max_pixels=123, max_bad_packet_ratio=0.0)
    assert MediaLimits.from_json(json.loads(json.dumps(limits.to_json()))) == limits


@pytest.mark.parametrize("name", ["memory_bytes", "stall_s", "job_s", "max_pixels", "recycle_after"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_limit_that_lets_nothing_through_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        MediaLimits(**{name: value})


@pytest.mark.parametrize("ratio", [-0.1, 1.1, float("nan")])
def test_a_ratio_is_a_ratio(ratio: float) -> None:
    with pytest.raises(ValueError, match="max_bad_packet_ratio"):
        MediaLimits(max_bad_packet_ratio=ratio)


def test_an_unknown_limit_is_refused() -> None:
    with pytest.raises(TypeError, match="max_pixel"):
        MediaLimits.from_json({"max_pixel": 1})
