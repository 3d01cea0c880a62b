"""Experiments of the reports on Sora, on the miniature world: square crops against native sizes, quality by compute."""

from infra.experiment.compute import measure_compute
from infra.experiment.config import ExperimentConfig
from infra.experiment.native_vs_square import measure_native_vs_square

__all__ = ["ExperimentConfig", "measure_compute", "measure_native_vs_square"]
