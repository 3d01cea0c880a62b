from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from schemas import ConfigError
from trainer.config import TrainConfig
from trainer.export import load_model
from trainer.loop import train


@pytest.fixture(scope="module")
def exported(
    made_shards: str, tiny_config: Callable[..., TrainConfig], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("exported") / "run"
    train(tiny_config(steps=1), made_shards, out, resume=False, report=lambda record: None)
    return out / "model"


def test_the_folder_is_laid_out_as_diffusers_does(exported: Path) -> None:
    files = {path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file()}
    assert files == {
        "model_index.json",
        "scheduler/scheduler_config.json",
        "transformer/config.json",
        "transformer/diffusion_pytorch_model.safetensors",
    }
    index = json.loads((exported / "model_index.json").read_text())
    assert set(index) == {"_class_name", "transformer", "scheduler"}


def test_diffusers_reads_the_scheduler(exported: Path) -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler

    scheduler = FlowMatchEulerDiscreteScheduler.from_pretrained(exported, subfolder="scheduler")
    assert scheduler.config.num_train_timesteps == 1000


def test_weights_are_saved_as_the_config_says_and_read_in_single_precision(
    exported: Path, made_shards: str, tiny_config: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    train(tiny_config(steps=1, saved_as="float16"), made_shards, tmp_path, resume=False, report=lambda record: None)
    halves = load_file(tmp_path / "model" / "transformer" / "diffusion_pytorch_model.safetensors")
    assert {tensor.dtype for tensor in halves.values()} == {torch.float16}
    whole, read = load_model(exported)[0], load_model(tmp_path / "model")[0]
    for name, tensor in read.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, whole.state_dict()[name].half().float())


def damage(folder: Path, how: str) -> None:
    weights = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    name = "final.linear.bias"
    if how == "missing":
        del tensors[name]
    elif how == "nan":
        tensors[name] = torch.full_like(tensors[name], torch.nan)
    elif how == "cut":
        weights.write_bytes(weights.read_bytes()[:-5])
        return
    elif how == "config":
        (folder / "transformer" / "config.json").write_text('{"depth": 2}')
        return
    save_file(tensors, weights)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("missing", "its tensors are not those of"),
        ("nan", "holds values that are not finite"),
        ("cut", "holds no model of ours"),
        ("config", "holds no model of ours"),
    ],
)
def test_a_damaged_model_is_refused(how: str, message: str, exported: Path, tmp_path: Path) -> None:
    shutil.copytree(exported, tmp_path / "model")
    damage(tmp_path / "model", how)
    with pytest.raises(ConfigError, match=message):
        load_model(tmp_path / "model")
