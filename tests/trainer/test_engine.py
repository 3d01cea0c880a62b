from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from trainer.config import EngineConfig, OptimizerConfig
from trainer.distributed import Ranks, ranks
from trainer.engine import Engine
from trainer.state import pieces_of, scalars_of

# `ranks` silences it where it is entered, which here is outside of the tests.
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated. Please use:FutureWarning")


@pytest.fixture(scope="module")
def golden() -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden", Path(__file__).with_name("golden.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def alone() -> Iterator[Ranks]:
    with ranks() as joined:
        yield joined


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_the_losses_are_those_that_are_known(stage: int, golden: ModuleType, alone: Ranks) -> None:
    assert golden.losses(stage, alone) == pytest.approx(golden.LOSSES, abs=2e-6)


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_several_batches_of_a_step_add_up_to_one(stage: int, golden: ModuleType, alone: Ranks) -> None:
    found = golden.losses(stage, alone, steps=4, num_batches=4)
    assert found == pytest.approx(golden.LOSSES[:4], abs=1e-5)


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_muon_sees_the_gradient_of_the_whole_step(stage: int, golden: ModuleType, alone: Ranks) -> None:
    config = OptimizerConfig(kind="muon", learning_rate=1e-3, muon_learning_rate=0.01, base_width=64)
    one, several = (golden.losses(stage, alone, steps=4, num_batches=count, config=config) for count in (1, 4))
    assert several == pytest.approx(one, abs=2e-3)
    assert one != pytest.approx(golden.LOSSES[:4], abs=2e-3)


def test_bf16_is_near_and_takes_no_step_of_its_own(golden: ModuleType, alone: Ranks) -> None:
    assert golden.losses(1, alone, "bf16") == pytest.approx(golden.LOSSES, abs=5e-3)


class Line(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Linear(3, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.enter(x)
        return found


def line(alone: Ranks, stage: int, precision: str = "fp32") -> Engine:
    torch.manual_seed(0)
    config = EngineConfig(zero_stage=stage, precision=precision)  # type: ignore[arg-type]
    return Engine(Line(), config, OptimizerConfig(weight_decay=0), width=256, num_batches=1, ranks=alone)


@pytest.mark.parametrize("stage", [1, 2, 3])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_fragments_hold_every_number_once(stage: int, precision: str, alone: Ranks) -> None:
    engine = line(alone, stage, precision)
    torch.manual_seed(0)
    expected = Line()
    found = {fragment.name: fragment.of(fragment.flat) for fragment in engine.fragments()}
    assert found.keys() == {"enter.weight", "enter.bias"}
    for name, parameter in expected.named_parameters():
        # Masters are made of weights in half precision; only a checkpoint brings exact ones.
        rounded = parameter.to(torch.bfloat16).float() if precision == "bf16" else parameter
        assert torch.equal(found[name], rounded.detach().reshape(-1))
    engine.backward(engine(torch.ones(1, 3, dtype=DTYPES[precision])).sum())
    engine.step(1.0, 1.0)
    assert scalars_of(engine) == {"step": 1}
    assert {piece.kind for piece in pieces_of(engine, None)} == {"weight", "exp_avg", "exp_avg_sq"}


def test_gradients_are_scaled_down_to_the_limit_and_their_norm_is_told(alone: Ranks) -> None:
    engine = line(alone, 1)
    engine.backward(100 * engine(torch.ones(1, 3)).sum())
    # Of the 15 weights and 5 biases each has the gradient 100.
    assert engine.step(1.0, 0.5) == pytest.approx(100 * math.sqrt(20), rel=1e-4)
    moments = [piece.values for piece in pieces_of(engine, None) if piece.kind == "exp_avg"]
    norm = torch.cat(moments).norm() / (1 - OptimizerConfig().betas[0])
    assert norm.item() == pytest.approx(0.5, rel=1e-4)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("stage", [1, 2, 3])
def test_gradients_that_are_not_finite_change_nothing(stage: int, precision: str, alone: Ranks) -> None:
    engine = line(alone, stage, precision)
    before = {fragment.name: fragment.of(fragment.flat).clone() for fragment in engine.fragments()}
    x = torch.ones(1, 3, dtype=DTYPES[precision])
    engine.backward(math.inf * engine(x).sum())
    assert not math.isfinite(engine.step(1.0, 1.0))
    assert all(torch.equal(fragment.of(fragment.flat), before[fragment.name]) for fragment in engine.fragments())
    engine.backward(engine(x).sum())
    assert math.isfinite(engine.step(1.0, 1.0))


def test_the_rate_of_a_step_is_a_share_of_each_group_s_highest(alone: Ranks) -> None:
    engine = line(alone, 1)
    before = {fragment.name: fragment.of(fragment.flat).clone() for fragment in engine.fragments()}
    engine.backward(engine(torch.ones(1, 3)).sum())
    engine.step(0.25, 1e9)
    # The first step of Adam is as long as the rate.
    for fragment in engine.fragments():
        moved = (fragment.of(fragment.flat) - before[fragment.name]).abs()
        assert moved.tolist() == pytest.approx([0.25 * OptimizerConfig().learning_rate] * len(moved), rel=1e-3)
