"""Against a Gaussian, of which the flow is known."""

from __future__ import annotations

import math

import pytest
import torch

from trainer.sampling.solver import SOLVERS, dpm, looks, schedule

MEAN, DEVIATION = 3.0, 0.5


def exact_velocity(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """`E[noise - data | x_t = x]` for data of N(MEAN, DEVIATION²): all of it is linear in x."""
    variance = ((1 - t) * DEVIATION) ** 2 + t**2
    away = (x - (1 - t) * MEAN) / variance
    return t * away - (MEAN + (1 - t) * DEVIATION**2 * away)


def exact_end(noise: torch.Tensor) -> torch.Tensor:
    """Where the flow takes noise: it maps quantiles to quantiles."""
    return MEAN + DEVIATION * noise


def solved(kind: str, steps: int, noise: torch.Tensor, shift: float = 1.0) -> torch.Tensor:
    times = [torch.full((1, 1), time, dtype=torch.float64) for time in schedule(steps, shift)]
    return SOLVERS[kind](exact_velocity, noise, times, lambda step: None)


@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("kind", ["euler", "heun", "dpm++"])
def test_noise_becomes_the_gaussian_that_the_flow_is_of(kind: str, shift: float) -> None:
    noise = torch.randn(4000, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = solved(kind, 200, noise, shift)
    assert float((found - exact_end(noise)).abs().max()) < 0.03
    assert abs(float(found.mean()) - MEAN) < 0.03
    assert abs(float(found.std()) - DEVIATION) < 0.02


def test_heun_and_dpm_are_of_second_order_and_euler_of_first() -> None:
    noise = torch.tensor([[1.0], [-0.5], [2.0]], dtype=torch.float64)
    errors = {
        kind: [float((solved(kind, steps, noise) - exact_end(noise)).abs().max()) for steps in (40, 80)]
        for kind in SOLVERS
    }
    orders = {kind: math.log2(coarse / fine) for kind, (coarse, fine) in errors.items()}
    assert orders["euler"] == pytest.approx(1, abs=0.2)
    assert orders["heun"] > 1.6
    assert errors["heun"][1] < errors["euler"][1] / 5
    assert orders["dpm++"] > 1.5
    assert errors["dpm++"][1] < errors["euler"][1] / 5


def test_times_fall_from_the_noise_to_0_and_the_shift_keeps_both_ends() -> None:
    plain, shifted = schedule(4, 1.0), schedule(4, 3.0)
    assert plain == [1.0, 0.75, 0.5, 0.25, 0.0]
    assert shifted == pytest.approx([1.0, 0.9, 0.75, 0.5, 0.0])
    assert schedule(2, 1.0, start=0.5) == [0.5, 0.25, 0.0]


@pytest.mark.parametrize("kind", SOLVERS)
def test_what_is_given_at_time_0_stays(kind: str) -> None:
    x = torch.tensor([[5.0], [1.0]])
    times = [torch.tensor([[0.0], [time]]) for time in schedule(5, 1.0)]
    found = SOLVERS[kind](exact_velocity, x, times, lambda step: None)
    assert float(found[0]) == 5.0
    assert float(found[1]) != 1.0
    assert bool(found.isfinite().all())


# The reference's own way of making arrays, which numpy 2 will not take for ever.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("steps", [5, 20])
def test_dpm_goes_where_the_one_of_diffusers_goes(steps: int) -> None:
    from diffusers import DPMSolverMultistepScheduler

    reference = DPMSolverMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0, final_sigmas_type="zero"
    )
    reference.set_timesteps(steps)
    noise = torch.tensor([[1.0], [-0.5], [2.0]], dtype=torch.float64)
    expected = noise
    for sigma, time in zip(reference.sigmas, reference.timesteps, strict=False):
        said = exact_velocity(expected, sigma.double())
        expected = reference.step(said, time, expected).prev_sample
    times = [sigma.double().reshape(1, 1) for sigma in reference.sigmas]
    found = dpm(exact_velocity, noise, times, lambda step: None)
    assert float((found - expected).abs().max()) < 1e-5


@pytest.mark.parametrize("kind", ["euler", "heun", "dpm++"])
def test_a_solver_looks_as_often_as_a_plan_says(kind: str) -> None:
    asked, told = [], []

    def velocity(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        asked.append(t)
        return x

    times = [torch.tensor([[time]]) for time in schedule(7, 1.0)]
    SOLVERS[kind](velocity, torch.ones(1, 1), times, told.append)
    assert len(asked) == looks(kind, 7)
    assert told == list(range(1, 8))
