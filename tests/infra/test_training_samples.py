from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
import yaml

from infra.bench.made_shards import DIGESTS, make_shards
from infra.cli.main import main
from infra.training_samples import TrainingSamples
from schemas import ConfigError
from trainer.config import SamplesConfig

Values = Callable[..., dict[str, Any]]


@pytest.fixture
def recipe(sample_values: Values, tmp_path: Path) -> Path:
    path = tmp_path / "sample.yaml"
    path.write_text(yaml.safe_dump({**sample_values(), "model": "is not there yet"}))
    return path


def frames_of(path: Path) -> np.ndarray:
    with av.open(str(path)) as video:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)])


def test_each_prompt_has_a_video_a_step_and_keeps_its_noise(
    recipe: Path, sample_folders: dict[str, Path], tmp_path: Path
) -> None:
    prompts = ("a red circle moves to the left", "a blue square stands still")
    show = TrainingSamples(SamplesConfig(prompts=prompts, recipe=str(recipe)), tmp_path)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    for step in (5, 10):
        show(sample_folders["model-video"], step)
    assert torch.equal(torch.get_rng_state(), state)
    names = ["00000005-1.mp4", "00000005-2.mp4", "00000010-1.mp4", "00000010-2.mp4"]
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == names
    first, second, again, _ = (frames_of(tmp_path / "samples" / name) for name in names)
    assert first.shape[1:] == (32, 40, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)


def test_a_model_that_cannot_be_sampled_is_told_and_ends_nothing(recipe: Path, tmp_path: Path, capsys: Any) -> None:
    TrainingSamples(SamplesConfig(prompts=("a red circle",), recipe=str(recipe)), tmp_path)(tmp_path / "nothing", 5)
    assert "step 5: no samples: model:" in capsys.readouterr().err


def test_a_prompt_that_the_policy_refuses_is_refused_before_anything(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"samples.prompts: .* is refused"):
        TrainingSamples(SamplesConfig(prompts=("a naked child",), recipe=str(recipe)), tmp_path)


def test_encoders_that_did_not_make_the_shards_are_refused_before_the_first_step(
    recipe: Path, tmp_path: Path, capsys: Any
) -> None:
    make_shards(str(tmp_path / "shards"), [(2, 4, 4)] * 8, text_width=128)
    config = tmp_path / "train.yaml"
    values = {"steps": 1, "engine": {"precision": "fp32"}, "model": {"size": "tiny"}, "packing": {"packs_per_step": 1}}
    config.write_text(json.dumps(values))
    samples = f"samples={{prompts: [a red circle], recipe: {recipe}}}"
    told = ["--dataset", str(tmp_path / "shards"), "--out", str(tmp_path / "run"), samples]
    assert main(["train", str(config), *told]) == 2
    said = capsys.readouterr().err
    assert "autoencoder.model" in said
    assert DIGESTS["autoencoder_digest"] in said
    assert not (tmp_path / "run").exists()


def test_prompts_need_a_recipe() -> None:
    with pytest.raises(ValueError, match="prompts need a recipe"):
        SamplesConfig(prompts=("a red circle",))
