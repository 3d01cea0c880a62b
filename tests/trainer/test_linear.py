from __future__ import annotations

import pytest
import torch

from trainer.flow import noised, token_losses
from trainer.linear import LinearPredictor, fit_linear
from trainer.model.attention import Segments
from trainer.model.dit import Packed
from trainer.times import FlowConfig

WIDTH = 6


def clean_patches(count: int, seed: int) -> torch.Tensor:
    """Patches whose numbers go together, about a mean that is not 0."""
    drawn = torch.Generator().manual_seed(seed)
    mixing = torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(0))
    return torch.randn(count, WIDTH, generator=drawn) @ mixing + torch.arange(WIDTH)


def losses(predictor: LinearPredictor, time: float, flow: FlowConfig) -> float:
    clean = clean_patches(20_000, seed=2)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(3))
    times = torch.full((len(clean), 1), time)
    packed = Packed(
        patches_LP=noised(clean, noise, times),
        times_K=torch.tensor([0.0, time]),
        time_index_L=torch.ones(len(clean), dtype=torch.int64),
        video=Segments.of([len(clean)]),
    )
    return float(token_losses(predictor(packed), clean, noise, times, flow).mean())


def fitted(flow: FlowConfig) -> LinearPredictor:
    predictor = fit_linear([clean_patches(10_000, seed=1), clean_patches(10_000, seed=4)], flow)
    assert predictor is not None
    return predictor


@pytest.mark.parametrize("time", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("prediction", ["velocity", "clean", "angular"])
def test_its_loss_is_the_least_that_theory_allows(time: float, prediction: str) -> None:
    flow = FlowConfig(prediction=prediction, loss="velocity")  # type: ignore[arg-type]
    predictor = fitted(flow)
    # What is left of clean patches of that covariance, and of the velocity, which is so much over t.
    variances = torch.linalg.eigvalsh(predictor.get_buffer("covariance_PP"))
    left = variances * time**2 / ((1 - time) ** 2 * variances + time**2)
    assert losses(predictor, time, flow) == pytest.approx(float(left.mean()) / time**2, rel=0.03)


def test_any_other_line_is_worse() -> None:
    flow = FlowConfig()
    best = fitted(flow)
    mean, covariance = best.get_buffer("mean_P"), best.get_buffer("covariance_PP")
    for other in (
        LinearPredictor(mean + 0.3, covariance, flow),
        LinearPredictor(mean, covariance * 1.5, flow),
        LinearPredictor(mean, torch.diag(covariance.diagonal()), flow),
    ):
        assert losses(best, 0.5, flow) < losses(other, 0.5, flow)


def test_without_patches_there_is_none() -> None:
    assert fit_linear([], FlowConfig()) is None
