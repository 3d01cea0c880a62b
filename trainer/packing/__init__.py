"""The plan of every step: samples of different sizes into packs, packs into steps, steps over ranks."""

from __future__ import annotations

from trainer.packing.balance import IDLE, share
from trainer.packing.config import PackingConfig
from trainer.packing.draws import Hashes, bits, hashes_of, uniforms
from trainer.packing.figures import PlanFigures, plan_figures, rank_costs
from trainer.packing.plan import EpochPlan, Loads, plan_epoch

__all__ = [
    "IDLE",
    "EpochPlan",
    "Hashes",
    "Loads",
    "PackingConfig",
    "PlanFigures",
    "bits",
    "hashes_of",
    "plan_epoch",
    "plan_figures",
    "rank_costs",
    "share",
    "uniforms",
]
