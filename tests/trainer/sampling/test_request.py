from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from schemas import ConfigError
from trainer.sampling import Mode, Region, Request, SamplingConfig, Size, check

CONFIG = SamplingConfig(model="m", max_side=1000, max_seconds=10, frame_rate=10)
CLIP = np.zeros((5, 64, 64, 3), np.uint8)


def asked(**values: Any) -> Request:
    return Request(**{"prompt": "a red circle", "size": Size(64, 64), **values})


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        pytest.param(asked(prompt=""), "the prompt is empty", id="empty"),
        pytest.param(asked(prompt=" \n\t"), "the prompt is empty", id="blank"),
        pytest.param(asked(prompt="x" * 100_000), "has 100,000 bytes, more than max_prompt_bytes, 16,384", id="100 KB"),
        pytest.param(asked(prompt="é" * 10_000), "has 20,000 bytes", id="bytes and not letters count"),
        pytest.param(
            asked(size=Size(8, 64)), r"sides lie in 16 to 1000 pixels \(min_side, max_side\), got 8x64", id="small"
        ),
        pytest.param(asked(size=Size(64, 1001)), "got 64x1001", id="large"),
        pytest.param(asked(num_frames=0), "1 frame to 10 s", id="no frames"),
        pytest.param(asked(num_frames=101), "got 101 frames of 10 a second", id="too long"),
        pytest.param(asked(seed=-1), "the seed lies in 0 to", id="negative seed"),
        pytest.param(asked(seed=2**63), "the seed lies in 0 to", id="seed too large"),
        pytest.param(
            asked(strength=0.0, mode=Mode.edit, clips=(CLIP,)), r"strength lies in \(0, 1\], got 0", id="no strength"
        ),
        pytest.param(asked(strength=1.5, mode=Mode.edit, clips=(CLIP,)), "got 1.5", id="too strong"),
        pytest.param(asked(strength=float("nan"), mode=Mode.edit, clips=(CLIP,)), "got nan", id="not a number"),
        pytest.param(asked(variation=-0.1), r"variation lies in \[0, 1\]", id="variation"),
        pytest.param(asked(mode=Mode.edit), "edit takes 1 clips, got 0", id="no clip"),
        pytest.param(asked(mode=Mode.connect, clips=(CLIP,)), "connect takes 2 clips, got 1", id="one clip"),
        pytest.param(asked(mode=Mode.image, clips=(CLIP,)), "has at least 2 frames", id="a video of one frame"),
        pytest.param(asked(mode=Mode.inpaint, clips=(CLIP,)), "inpaint needs a region", id="no region"),
        pytest.param(
            asked(mode=Mode.inpaint, clips=(CLIP,), region=Region(60, 0, 8, 8)),
            "60,0,8x8 is empty or reaches beyond the 64x64 clip",
            id="region outside",
        ),
        pytest.param(
            asked(mode=Mode.inpaint, clips=(CLIP,), region=Region(0, 0, 8, 8, 2.0, 1.0)), "@2-1 is empty", id="no time"
        ),
    ],
)
def test_what_cannot_be_made_is_refused_in_one_sentence(request_: Request, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        check(request_, CONFIG)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [Size(16, 16), Size(1000, 563), Size(563, 1000)], ids=str)
def test_odd_sizes_are_let_pass(size: Size) -> None:
    check(asked(size=size, num_frames=100, seed=2**63 - 1), CONFIG)


def test_sizes_and_regions_are_read() -> None:
    assert Size.parse("1920x1080") == Size(1920, 1080)
    assert Region.parse("1,2,30x40") == Region(1, 2, 30, 40)
    assert Region.parse("1,2,30x40@0.5-2") == Region(1, 2, 30, 40, 0.5, 2.0)


@pytest.mark.parametrize(
    "text", ["", "64", "64x", "64x64x64", "-64x64", "6.4x64", "64X64 ", "\u0661x\u0662", "9999999x1"]
)
def test_a_size_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match="--size is WIDTHxHEIGHT"):
        Size.parse(text)


@pytest.mark.parametrize("text", ["", "1,2", "1,2,3x", "1,2,3x4@", "1,2,3x4@1", "-1,2,3x4"])
def test_a_region_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match="--inpaint is X,Y,WIDTHxHEIGHT"):
        Region.parse(text)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param({"guidance": {"interval": [0.5, 0.5]}}, "two rising times", id="interval"),
        pytest.param({"context_s": 5.0}, "under half of window_s", id="context"),
        pytest.param({"min_side": 9000}, "more than max_side", id="sides"),
        pytest.param({"solver": {"steps": 0}}, "greater than or equal to 1", id="steps"),
        pytest.param({"strength": 0.0}, "greater than 0", id="strength"),
    ],
)
def test_configs_that_cannot_work_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SamplingConfig.model_validate({"model": "m", **values})


def test_seconds_are_frames_at_the_rate() -> None:
    config = SamplingConfig(model="m", frame_rate=23.976)
    assert config.frames(10) == 240
    assert config.frames(0.001) == 1
    assert float(config.rate) == pytest.approx(24000 / 1001)
