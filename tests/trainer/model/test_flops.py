from __future__ import annotations

import pytest

from trainer.model.config import ModelConfig
from trainer.model.flops import TRAINED_OVER_FORWARD, forward_flops
from trainer.model.places import PLACE_CHANNELS

DIT = {"S": (0.358, 1.413, 6.056), "B": (1.418, 5.565, 23.005), "L": (5.011, 19.696, 80.698)}
DIT["XL"] = (7.392, 29.044, 118.621)


@pytest.mark.parametrize("size", DIT)
def test_a_forward_pass_costs_what_dit_s_does(size: str) -> None:
    """In 10^9 products and sums, which that paper calls Gflops."""
    for patch, expected in zip((8, 4, 2), DIT[size], strict=True):
        config = ModelConfig(size=size, modulation="block")  # type: ignore[arg-type]
        widths = {"patch_channels": 4 * patch**2, "out_channels": 8 * patch**2, "text_width": 0}
        found = forward_flops(config, [(32 // patch) ** 2], [0], **widths)
        assert found[0] / 2e9 == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize(
    ("width", "hidden", "depth", "tokens", "expected"),
    [
        (1536, 8960, 30, 32_760, 283),
        (5120, 13_824, 40, 32_760, 1678),
        (5120, 13_824, 40, 37_440, 2061),
        (5120, 13_824, 40, 75_600, 6523),
    ],
)
def test_with_text_it_costs_what_wan_s_does(width: int, hidden: int, depth: int, tokens: int, expected: int) -> None:
    """In 10^12 FLOPs."""
    config = ModelConfig(size=None, depth=depth, width=width, heads=width // 128, mlp_ratio=hidden / width)
    found = forward_flops(config, [tokens], [512], patch_channels=64, text_width=4096)
    assert found[0] / 1e12 == pytest.approx(expected, rel=1e-3)
    assert TRAINED_OVER_FORWARD == 3


def test_joint_attention_pays_for_text_like_for_video() -> None:
    joint = ModelConfig(size="S", text="joint")
    both, video = forward_flops(joint, [100, 150], [50, 0], patch_channels=16, text_width=1)
    assert both == pytest.approx(video, rel=0.01)


def test_places_cost_one_small_layer_of_each_token() -> None:
    plain, told = (
        forward_flops(ModelConfig(size="S", places=has), [100], [0], patch_channels=16, text_width=0)
        for has in (False, True)
    )
    assert told[0] - plain[0] == 2 * 384 * PLACE_CHANNELS * 100
