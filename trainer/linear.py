"""The best linear predictor: what a loss on held-out videos is held against."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from trainer.flow import said_of_clean
from trainer.model.dit import Packed
from trainer.times import FlowConfig

# L tokens, P numbers in a patch

_RIDGE = 1e-4
"""Added to variances, so that what never varies divides like the rest."""


class LinearPredictor(nn.Module):
    """Says of each noisy patch what a line through mean and covariance of clean ones says, given its time.

    With clean patches of mean `m` and covariance `C`, and `x_t = (1 - t) x + t e`, the expected clean patch is
    `m + (1 - t) C ((1 - t)^2 C + t^2 I)^-1 (x_t - (1 - t) m)`: no predictor that is linear in the patch has a smaller
    squared error. It sees neither other patches nor texts.

    Args:
        mean_P: Of clean patches.
        covariance_PP: Of clean patches.
        flow: What is to be said.
    """

    def __init__(self, mean_P: torch.Tensor, covariance_PP: torch.Tensor, flow: FlowConfig) -> None:
        super().__init__()
        self._flow = flow
        self.register_buffer("mean_P", mean_P.double())
        self.register_buffer("covariance_PP", covariance_PP.double())

    def forward(self, packed: Packed) -> torch.Tensor:
        """What a model would say, float32 (L, P)."""
        mean, covariance = self.get_buffer("mean_P"), self.get_buffer("covariance_PP")
        mixed = packed.patches_LP.double()
        clean = torch.empty_like(mixed)
        eye = torch.eye(len(mean), dtype=torch.float64, device=mean.device)
        for index, time in enumerate(packed.times_K.double()):
            here = packed.time_index_L == index
            spread = (1 - time) ** 2 * covariance + (time**2 + _RIDGE) * eye
            gain = torch.linalg.solve(spread, (1 - time) * covariance)
            clean[here] = mean + (mixed[here] - (1 - time) * mean) @ gain
        time_L1 = packed.times_K.double()[packed.time_index_L][:, None]
        said = said_of_clean(mixed, clean, time_L1, self._flow)
        return said.float()


def fit_linear(patches: Iterable[torch.Tensor], flow: FlowConfig) -> LinearPredictor | None:
    """The predictor for some clean patches; None for none.

    Args:
        patches: (L, P) each, of any number of samples.
        flow: What is to be said.
    """
    count, total, products = 0, None, None
    for patch_LP in patches:
        exact = patch_LP.double()
        count += len(exact)
        total = exact.sum(dim=0) if total is None else total + exact.sum(dim=0)
        products = exact.T @ exact if products is None else products + exact.T @ exact
    if total is None or products is None:
        return None
    mean = total / count
    return LinearPredictor(mean, products / count - torch.outer(mean, mean), flow)
