from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch

from trainer.config import OptimizerConfig
from trainer.model.attention import Segments
from trainer.model.dit import DiT, DiTParams, Packed
from trainer.optimizer import is_hidden_matrix, parameter_groups, rate_at

WIDTHS = (64, 128, 256, 512)
WATCHED = ("text_in", "time_in", "blocks.0", "blocks.1.attention", "blocks.1.cross", "blocks.1.mlp", "final")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def model_of(width: int, modulation: str = "block") -> DiT:
    torch.manual_seed(0)
    heads = width // 32
    return DiT(
        DiTParams(depth=2, width=width, heads=heads, patch_channels=8, text_width=10, modulation=modulation)  # type: ignore[arg-type]
    )


def pack() -> Packed:
    draw = torch.Generator().manual_seed(1)
    return Packed(
        patches_LP=torch.randn(64, 8, generator=draw),
        times_K=torch.tensor([0, 0.2, 0.4, 0.6, 0.8]),
        time_index_L=torch.repeat_interleave(torch.arange(1, 5), 16),
        video=Segments.of([16] * 4),
        positions_L3=torch.rand(64, 3, generator=draw) * 4,
        text_MT=torch.randn(12, 10, generator=draw),
        is_nothing_M=torch.zeros(12, dtype=torch.bool),
        text=Segments.of([3] * 4),
    )


def moved(width: int, meant_width: int, modulation: str) -> dict[str, float]:
    """How far the outputs of layers have moved after six steps, on average."""
    model, packed = model_of(width, modulation), pack()
    outputs: dict[str, torch.Tensor] = {}
    for name, module in model.named_modules():
        if name in WATCHED:
            module.register_forward_hook(lambda _module, _given, out, name=name: outputs.update({name: out.detach()}))
    config = OptimizerConfig(learning_rate=4e-3, base_width=128)
    groups = parameter_groups(model.named_parameters(), config, meant_width)
    adam = torch.optim.AdamW(groups, betas=(0.9, 0.95))
    target = torch.randn(64, 8, generator=torch.Generator().manual_seed(2))
    model(packed)
    before = dict(outputs)
    for _ in range(6):
        loss = (model(packed) - target).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    model(packed)
    return {name: float((outputs[name] - before[name]).abs().mean()) for name in WATCHED}


@pytest.mark.parametrize("modulation", ["block", "shared"])
def test_one_learning_rate_moves_models_of_all_widths_alike(modulation: str) -> None:
    found = [moved(width, width, modulation) for width in WIDTHS]
    for name in WATCHED:
        values = [one[name] for one in found]
        assert max(values) / min(values) < 1.5, (name, values)


def test_without_the_rule_wide_models_run_away() -> None:
    values = [moved(width, 128, "block")["blocks.0"] for width in (64, 512)]
    assert values[1] / values[0] > 2.5


def test_hidden_matrices_are_those_that_read_as_many_numbers_as_the_model_is_wide() -> None:
    narrow, wide = model_of(64), model_of(128)
    for (name, one), (_, other) in zip(narrow.named_parameters(), wide.named_parameters(), strict=True):
        grows = one.ndim == 2 and other.shape[1] > one.shape[1]
        assert is_hidden_matrix(name, one) == grows, name


def test_each_weight_is_in_one_group_and_decays_alike_at_any_width() -> None:
    model = model_of(256)
    config = OptimizerConfig(base_width=128, learning_rate=1e-3, weight_decay=0.1)
    groups = {group["role"]: group for group in parameter_groups(model.named_parameters(), config, 256)}
    together = [parameter for group in groups.values() for parameter in group["params"]]
    assert {id(parameter) for parameter in together} == {id(parameter) for parameter in model.parameters()}
    assert len(together) == len(list(model.parameters()))
    assert groups["hidden"]["lr"] == pytest.approx(5e-4)
    assert groups["hidden"]["lr"] * groups["hidden"]["weight_decay"] == pytest.approx(1e-4)
    assert groups["vector"]["weight_decay"] == 0
    assert all(parameter.ndim == 1 for parameter in groups["vector"]["params"])


def test_muon_gets_the_matrices_inside_blocks() -> None:
    model = model_of(64)
    groups = parameter_groups(model.named_parameters(), OptimizerConfig(kind="muon"), 64)
    muon = {id(parameter) for group in groups if group["role"] == "muon" for parameter in group["params"]}
    names = {name for name, parameter in model.named_parameters() if id(parameter) in muon}
    assert {name.split(".", 2)[2] for name in names} == {
        f"{part}.weight"
        for part in ("attention.qkv", "attention.out", "mlp.enter", "mlp.leave", "cross.q", "cross.kv", "cross.out")
    }


def test_the_rate_rises_and_stays_or_falls_along_a_cosine() -> None:
    constant = OptimizerConfig(warmup_steps=4)
    assert [rate_at(step, 100, constant) for step in (0, 1, 3, 4, 99)] == [0.25, 0.5, 1, 1, 1]
    falling = OptimizerConfig(warmup_steps=0, decay_steps=3, final_ratio=0.2)
    assert [rate_at(step, 10, falling) for step in (0, 6, 7, 9)] == [1, 1, pytest.approx(0.8), pytest.approx(0.4)]
    cosine = OptimizerConfig(warmup_steps=0, schedule="cosine", final_ratio=0.2)
    assert rate_at(0, 100, cosine) == 1
    assert rate_at(50, 100, cosine) == pytest.approx(0.6)
    assert rate_at(100, 100, cosine) == pytest.approx(0.2)
    assert math.isclose(rate_at(150, 100, cosine), 0.2)
