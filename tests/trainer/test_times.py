from __future__ import annotations

import math
from statistics import fmean, median

import pytest

from schemas import PixelShape
from trainer.model.grid import TokenGrid
from trainer.times import FlowConfig, ShiftConfig, draw_time, shift_of, shifted

ANY = PixelShape(1, 256, 256)


@pytest.mark.parametrize(("shift", "expected"), [(1, 0.5), (3, 0.75), (5, 0.833333), (12, 0.923077)])
def test_a_shift_moves_the_middle(shift: float, expected: float) -> None:
    assert shifted(0.5, shift) == pytest.approx(expected, abs=1e-6)
    assert (shifted(0, shift), shifted(1, shift)) == (0, 1)


def grid_of(tokens: int) -> TokenGrid:
    return TokenGrid(1, 1, tokens)


@pytest.mark.parametrize(
    ("tokens", "power", "middle"),
    [
        (256, 0.5, 0.622459),
        (1024, 0.63, 0.652489),
        (4096, 1.15, 0.759511),
        (8160, 1.837917, 0.862702),
        (16_384, 3.23, 0.961948),
    ],
)
def test_the_exponential_shift_is_that_of_flux(tokens: int, power: float, middle: float) -> None:
    found = shift_of(ShiftConfig(rule="exponential"), grid_of(tokens), ANY)
    assert math.log(found) == pytest.approx(power, abs=1e-6)
    assert shifted(0.5, found) == pytest.approx(middle, abs=1e-6)


def test_with_other_ends_it_is_that_of_ltx() -> None:
    config = ShiftConfig(rule="exponential", low=(1024, 0.95), high=(4096, 2.05))
    powers = [math.log(shift_of(config, grid_of(tokens), ANY)) for tokens in (1024, 4096, 8160)]
    assert powers == pytest.approx([0.95, 2.05, 3.505], abs=1e-3)


@pytest.mark.parametrize(
    ("grid", "expected"),
    [
        pytest.param(TokenGrid(33, 16, 16), 5.744563, id="256x256, 129 frames"),
        pytest.param(TokenGrid(33, 48, 48), 11.872096, id="768x768, 129 frames"),
        pytest.param(TokenGrid(1, 64, 64), 3.0, id="1024x1024 image"),
        pytest.param(TokenGrid(1, 128, 128), 9.4, id="2048x2048 image"),
    ],
)
def test_open_sora_2_s_shift(grid: TokenGrid, expected: float) -> None:
    assert shift_of(ShiftConfig(rule="open_sora_2"), grid, ANY) == pytest.approx(expected, abs=1e-5)


def test_open_sora_1_2_s_shift() -> None:
    config = ShiftConfig(rule="open_sora_1_2")
    assert shift_of(config, grid_of(1), PixelShape(51, 720, 1280)) == pytest.approx(7.261844, abs=1e-5)
    assert shift_of(config, grid_of(1), PixelShape(1, 512, 512)) == 1


def test_sd3_s_shift_grows_with_the_root_of_tokens() -> None:
    assert shift_of(ShiftConfig(base_tokens=1024), grid_of(4096), ANY) == 2
    assert shift_of(ShiftConfig(rule="none"), grid_of(4096), ANY) == 1
    assert shift_of(ShiftConfig(rule="constant", value=7), grid_of(4096), ANY) == 7


def drawn(config: FlowConfig, shift: float = 1.0) -> list[float]:
    return [draw_time((k + 0.5) / 20_000, (k * 7919 % 20_000) / 20_000, config, shift) for k in range(20_000)]


def test_logit_normal_times_have_its_moments() -> None:
    times = drawn(FlowConfig())
    assert fmean(times) == pytest.approx(0.5, abs=1e-4)
    assert fmean((time - 0.5) ** 2 for time in times) == pytest.approx(0.04338, abs=1e-4)
    moved = drawn(FlowConfig(), 3)
    assert fmean(moved) == pytest.approx(0.71403, abs=1e-4)
    assert median(moved) == pytest.approx(0.75, abs=1e-4)


def test_even_times_reach_the_ends() -> None:
    assert min(drawn(FlowConfig(density="uniform"))) < 1e-4
    mixed = drawn(FlowConfig(uniform_ratio=0.1))
    plain = drawn(FlowConfig())
    assert sum(time < 0.02 for time in mixed) > 1.5 * max(sum(time < 0.02 for time in plain), 1)
    assert all(0 < time < 1 for time in mixed)
