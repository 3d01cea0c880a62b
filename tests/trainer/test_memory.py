from __future__ import annotations

from typing import Any

import pytest
import torch

from trainer.config import TrainConfig
from trainer.memory import expected_memory
from trainer.model.attention import Segments
from trainer.model.dit import DiT, DiTParams, Packed


def config_of(**changes: Any) -> TrainConfig:
    model = {"size": None, "depth": 4, "width": 96, "heads": 3, **changes.pop("model", {})}
    return TrainConfig.model_validate({"model": model, "engine": {"precision": "fp32", **changes.pop("engine", {})}})


def kept_bytes(config: TrainConfig, tokens: int, text_tokens: int) -> int:
    """What autograd keeps of a forward pass, weights not counted."""
    params = DiTParams.of(config.model, patch_channels=16, text_width=24)
    model = DiT(params, checkpointed=config.engine.checkpointing).train()
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, tuple[int, torch.Tensor]] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    packed = Packed(
        patches_LP=torch.randn(tokens, 16),
        times_K=torch.rand(2),
        time_index_L=torch.ones(tokens, dtype=torch.int64),
        video=Segments.of([tokens]),
        positions_L3=torch.rand(tokens, 3),
        text_MT=torch.randn(text_tokens, 24),
        is_nothing_M=torch.zeros(text_tokens, dtype=torch.bool),
        text=Segments.of([text_tokens]),
        text_time_index_M=torch.ones(text_tokens, dtype=torch.int64),
    )
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(packed)
    return sum(size for size, _ in kept.values())


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="cross"),
        pytest.param({"model": {"text": "joint"}}, id="joint"),
        pytest.param({"model": {"mlp_ratio": 2.0}}, id="narrow mlp"),
    ],
)
def test_activations_are_what_autograd_keeps(changes: dict[str, Any]) -> None:
    config = config_of(**changes)
    found = expected_memory(config, num_parameters=0, num_ranks=1, tokens=800, text_tokens=60).activations
    assert found == pytest.approx(kept_bytes(config, 800, 60), rel=0.15)


def test_blocks_computed_again_keep_their_inputs_and_one_block() -> None:
    config = config_of(engine={"checkpointing": True})
    found = expected_memory(config, num_parameters=0, num_ranks=1, tokens=800, text_tokens=60).activations
    plain = expected_memory(config_of(), num_parameters=0, num_ranks=1, tokens=800, text_tokens=60).activations
    assert kept_bytes(config, 800, 60) < found < plain / 3


@pytest.mark.parametrize(
    ("stage", "precision", "expected"),
    [
        (1, "bf16", (2, 2, 12 / 4, 1)),
        (2, "bf16", (2, 2 / 4, 12 / 4, 1)),
        (3, "bf16", (2 / 4, 2 / 4, 12 / 4, 1)),
        (1, "fp32", (4, 4, 8 / 4, 1)),
    ],
)
def test_zero_shares_what_it_says(stage: int, precision: str, expected: tuple[float, ...]) -> None:
    config = config_of(engine={"zero_stage": stage, "precision": precision})
    found = expected_memory(config, num_parameters=100, num_ranks=4, tokens=0, text_tokens=0)
    assert (found.weights, found.gradients, found.optimizer, found.mean) == tuple(100 * each for each in expected)
    assert found.total == sum(100 * each for each in expected)
