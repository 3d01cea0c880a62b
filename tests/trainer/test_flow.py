from __future__ import annotations

import pytest
import torch

from trainer.flow import (
    MIN_TIME,
    angular_of_velocity,
    clean_of_velocity,
    noised,
    said_of_clean,
    token_losses,
    velocity,
    velocity_of_angular,
    velocity_of_clean,
    velocity_of_said,
)
from trainer.times import FlowConfig

CLEAN, NOISE = torch.randn(2, 64, 8, generator=torch.Generator().manual_seed(0))


def test_the_path_goes_from_clean_to_noise_at_the_velocity() -> None:
    assert torch.equal(noised(CLEAN, NOISE, torch.zeros(64, 1)), CLEAN)
    assert torch.equal(noised(CLEAN, NOISE, torch.ones(64, 1)), NOISE)
    time, step = torch.full((64, 1), 0.3), 0.01
    moved = noised(CLEAN, NOISE, time) + step * velocity(CLEAN, NOISE)
    assert torch.allclose(moved, noised(CLEAN, NOISE, time + step), atol=1e-6)


def test_velocity_and_clean_patches_give_each_other() -> None:
    time = torch.linspace(MIN_TIME, 1, 64)[:, None]
    mixed = noised(CLEAN, NOISE, time)
    assert torch.allclose(clean_of_velocity(mixed, velocity(CLEAN, NOISE), time), CLEAN, atol=1e-5)
    assert torch.allclose(velocity_of_clean(mixed, CLEAN, time), velocity(CLEAN, NOISE), atol=1e-4)


def test_the_way_from_clean_patches_to_a_velocity_is_never_steep() -> None:
    time = torch.zeros(64, 1)
    assert velocity_of_clean(CLEAN + 1e-3, CLEAN, time).max() <= 1e-3 / MIN_TIME * 1.01


@pytest.mark.parametrize("loss", ["velocity", "prediction"])
def test_what_is_right_costs_nothing_in_either_form(loss: str) -> None:
    time = torch.rand(64, 1)
    angular = angular_of_velocity(noised(CLEAN, NOISE, time), velocity(CLEAN, NOISE), time)
    for prediction, said in (("velocity", velocity(CLEAN, NOISE)), ("clean", CLEAN), ("angular", angular)):
        config = FlowConfig(prediction=prediction, loss=loss)  # type: ignore[arg-type]
        assert token_losses(said, CLEAN, NOISE, time, config).abs().max() < 1e-9
        assert token_losses(said + 1, CLEAN, NOISE, time, config).min() > 0.5


def test_the_same_mistake_costs_the_same_whichever_way_it_is_said() -> None:
    time = torch.rand(64, 1) * 0.9 + 0.1
    mixed = noised(CLEAN, NOISE, time)
    wrong = velocity(CLEAN, NOISE) + torch.randn(64, 8)
    as_clean = clean_of_velocity(mixed, wrong, time)
    one = token_losses(wrong, CLEAN, NOISE, time, FlowConfig())
    other = token_losses(as_clean, CLEAN, NOISE, time, FlowConfig(prediction="clean"))
    assert torch.allclose(one, other, rtol=1e-3)
    as_angular = angular_of_velocity(mixed, wrong, time)
    third = token_losses(as_angular, CLEAN, NOISE, time, FlowConfig(prediction="angular"))
    assert torch.allclose(one, third, rtol=1e-3)


def test_along_the_angle_a_model_says_clean_at_the_noise_and_noise_at_the_clean_end() -> None:
    time = torch.linspace(0, 1, 64)[:, None]
    mixed, straight = noised(CLEAN, NOISE, time), velocity(CLEAN, NOISE)
    angular = angular_of_velocity(mixed, straight, time)
    angle = torch.atan2(time, 1 - time)
    assert torch.allclose(angular, angle.cos() * NOISE - angle.sin() * CLEAN, atol=1e-6)
    assert torch.allclose(velocity_of_angular(mixed, angular, time), straight, atol=1e-6)
    assert torch.allclose(angular[-1], -CLEAN[-1])
    assert torch.allclose(angular[0], NOISE[0])


@pytest.mark.parametrize("prediction", ["velocity", "clean", "angular"])
def test_what_is_said_and_the_velocity_that_is_meant_give_each_other(prediction: str) -> None:
    time = torch.linspace(MIN_TIME, 1, 64)[:, None]
    mixed, config = noised(CLEAN, NOISE, time), FlowConfig(prediction=prediction)  # type: ignore[arg-type]
    said = said_of_clean(mixed, CLEAN, time, config)
    assert torch.allclose(velocity_of_said(mixed, said, time, config), velocity(CLEAN, NOISE), atol=1e-4)
