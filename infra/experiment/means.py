"""Means over seeds with their errors, and the line through points on logarithmic axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over seeds."""

    value: float
    error: float
    """Standard error of the mean; NaN of a single value."""

    def __str__(self) -> str:
        return f"{self.value:.3f}" if math.isnan(self.error) else f"{self.value:.3f} ± {self.error:.3f}"


def mean_of(values: Sequence[float]) -> Mean:
    """The mean of at least one value."""
    error = float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan
    return Mean(float(np.mean(values)), error)


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """`y = scale * x ** exponent`."""

    scale: float
    exponent: float
    error: float
    """Standard error of the exponent; NaN where two points leave none to tell it by."""

    def at(self, x: float) -> float:
        """The value there."""
        return float(self.scale * x**self.exponent)


def fit_power_law(x: Sequence[float], y: Sequence[float]) -> PowerLaw:
    """The power law through points, by least squares on logarithmic axes.

    Args:
        x: Positive, at least two different ones.
        y: Positive, as many.
    """
    across, up = np.log(np.asarray(x, float)), np.log(np.asarray(y, float))
    exponent, level = np.polyfit(across, up, 1)
    left = len(across) - 2
    if left < 1:
        return PowerLaw(float(np.exp(level)), float(exponent), math.nan)
    residual = up - (exponent * across + level)
    variance = float(residual @ residual) / left / float(((across - across.mean()) ** 2).sum())
    return PowerLaw(float(np.exp(level)), float(exponent), math.sqrt(variance))
