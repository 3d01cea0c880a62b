"""The config of `rushes experiment`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from schemas import Config


class FilmsConfig(Config):
    """What the models learn from."""

    num: int = Field(2000, ge=20)
    seed: int = Field(40_000_000, ge=0)
    """Of the first film; the others count on from it."""
    scenes: Literal["single", "all"] = "single"
    """`single`: one object of some size before a camera at rest."""


class ExperimentConfig(Config):
    """How models are trained and compared."""

    films: FilmsConfig = FilmsConfig()
    curation: Path = Path("infra/recipes/world.yaml")
    """The recipe by which films become shards."""
    training: Path = Path("infra/recipes/demo-train.yaml")
    """The recipe of one model; its rate is held constant, so that a longer training is the shorter one gone on with."""
    evaluation: Path = Path("infra/recipes/demo-evaluate.yaml")
    """How a model is asked and judged."""
    compared_steps: int = Field(1600, ge=1)
    """Updates of the weights of each model of `native-vs-square`."""
    base_steps: int = Field(200, ge=1)
    """Updates of the weights of the shortest training of `compute`."""
    factors: tuple[int, ...] = (1, 4, 16)
    """Of `compute`: multiples of `base_steps`."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Each is a model of its own: of weights, order and noise."""
    num_prompts: int = Field(60, ge=1)
    """Videos by which a model is judged."""
    out: Path = Path("out/experiment")
    """Films, datasets, runs, tables and plots go there; what is there already is not made again."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds must differ, and there must be one, got {list(self.seeds)}")
        if not self.factors or list(self.factors) != sorted(set(self.factors)) or self.factors[0] < 1:
            raise ValueError(f"factors must rise from 1 or more, got {list(self.factors)}")
        return self
