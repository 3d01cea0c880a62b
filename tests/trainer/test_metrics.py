from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from schemas import ConfigError
from trainer.config import LogConfig
from trainer.metrics import boards, peak_flops


def test_the_peak_is_the_configured_one_or_measured() -> None:
    assert peak_flops(LogConfig(peak_tflops=2.0), torch.device("cpu"), torch.float32) == 2e12
    measured = peak_flops(LogConfig(), torch.device("cpu"), torch.float32)
    assert 1e8 < measured < 1e14


@pytest.mark.parametrize(
    ("config", "package"),
    [(LogConfig(tensorboard=True), "tensorboard"), (LogConfig(wandb_project="p"), "wandb")],
)
def test_a_board_whose_package_is_missing_is_the_user_s_mistake(
    config: LogConfig, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (package, "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=f"the package {package} is not installed"):
        boards(config, tmp_path)
    assert boards(LogConfig(), tmp_path) == []


def test_tensorboard_gets_every_figure(tmp_path: Path) -> None:
    (board,) = boards(LogConfig(tensorboard=True), tmp_path)
    board.add(3, {"loss": 0.5})
    board.close()
    read = EventAccumulator(str(tmp_path / "tensorboard"))
    read.Reload()
    assert [(one.step, one.value) for one in read.Scalars("loss")] == [(3, 0.5)]


def test_a_run_that_goes_on_is_the_same_run_of_weights_and_biases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb", reason="wandb is not in the lock: it is 100 MB that only its users need")
    monkeypatch.setenv("WANDB_MODE", "offline")
    for step in (1, 2):
        (board,) = boards(LogConfig(wandb_project="p"), tmp_path)
        board.add(step, {"loss": 0.5})
        board.close()
    kept = sorted(tmp_path.glob("wandb/offline-run-*/run-*.wandb"))
    assert {path.stem for path in kept} == {f"run-{(tmp_path / 'wandb.id').read_text()}"}
    assert all(b"loss" in path.read_bytes() for path in kept)
