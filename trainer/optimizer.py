"""Which rate and decay each weight gets, and how the rate moves over a run."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from trainer.config import OptimizerConfig

FIRST_LAYERS = ("patch_in.", "text_in.enter.", "text_in.nothing", "time_in.enter.", "label_in.", "place_in.")
"""What reads numbers whose count does not grow with the width."""


def is_hidden_matrix(name: str, parameter: torch.Tensor) -> bool:
    """Whether it is a matrix that reads as many numbers as the model is wide."""
    return parameter.ndim == 2 and not name.startswith(FIRST_LAYERS) and not name.endswith(".table")


def parameter_groups(
    named: Iterable[tuple[str, nn.Parameter]], config: OptimizerConfig, width: int
) -> list[dict[str, Any]]:
    """Groups for a `torch.optim` optimizer; `peak` is the highest rate of each, `kind` the optimizer it is meant for.

    A matrix that reads D numbers moves what it gives by D times its own update, so its rate falls as 1 / D; that of
    the first layers, of biases and of norms stays. Decay does not fall with the rate. Source: Yang et al. 2022,
    "Tensor programs V", table 8, for Adam; the last layer starts at zero.
    """
    ratio = config.base_width / width
    groups: dict[str, dict[str, Any]] = {
        "hidden": {"peak": config.learning_rate * ratio, "weight_decay": config.weight_decay / ratio},
        "first": {"peak": config.learning_rate, "weight_decay": config.weight_decay},
        "vector": {"peak": config.learning_rate, "weight_decay": 0.0},
        "muon": {"peak": config.muon_learning_rate, "weight_decay": config.weight_decay},
    }
    for group in groups.values():
        group["params"] = []
    for name, parameter in named:
        if parameter.requires_grad:
            groups[_group_of(name, parameter, config)]["params"].append(parameter)
    return [{**group, "lr": group["peak"], "role": role} for role, group in groups.items() if group["params"]]


def _group_of(name: str, parameter: torch.Tensor, config: OptimizerConfig) -> str:
    if parameter.ndim < 2 or name.endswith(".table"):
        return "vector"
    if not is_hidden_matrix(name, parameter):
        return "first"
    is_inside = name.startswith("blocks.") and "modulation" not in name
    return "muon" if config.kind == "muon" and is_inside else "hidden"


def make_optimizer(model: nn.Module, config: OptimizerConfig, width: int) -> torch.optim.Optimizer:
    """The optimizer of a run.

    Args:
        model: Whose weights it moves.
        config: Kind and rates.
        width: Channels of a token.
    """
    groups = parameter_groups(model.named_parameters(), config, width)
    if config.kind == "adamw":
        return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, eps=config.eps)
    from deepspeed.runtime.zero.muon.muon_optimizer import MuonWithAuxAdam

    for group in groups:
        group["use_muon"] = group["role"] == "muon"
        if group["use_muon"]:
            # Its other method works in float16, which on a CPU is far off.
            own: dict[str, Any] = {"momentum": config.momentum, "ns_method": "standard"}
        else:
            own = {"betas": config.betas, "eps": config.eps}
        group.update(own)
        for parameter in group["params"]:
            parameter.use_muon = group["use_muon"]
    found: torch.optim.Optimizer = MuonWithAuxAdam(groups)
    return found


def rate_at(step: int, steps: int, config: OptimizerConfig) -> float:
    """The share of its highest rate that a group has at a step, counted from 0."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    if config.schedule == "constant":
        left = (steps - step) / (config.decay_steps + 1)
        return config.final_ratio + (1 - config.final_ratio) * min(left, 1.0)
    share = (step - config.warmup_steps) / max(steps - config.warmup_steps, 1)
    return config.final_ratio + (1 - config.final_ratio) * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
