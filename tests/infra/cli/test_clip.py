from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
import torch

from infra.cli import clip
from pipeline.clip.train_config import ClipTrainConfig
from schemas import ConfigError, load_config

RECIPE = Path(clip.__file__).parents[1] / "recipes" / "clip-train.yaml"
SMALL = ("model.vision_cfg.width=8", "model.text_cfg.layers=1", "batch_size=16", "held_out_share=0.2")


def _clip(argv: list[str], overrides: tuple[str, ...] = ()) -> int:
    parser = argparse.ArgumentParser()
    clip.add_parser(parser.add_subparsers())
    args = parser.parse_args(["clip", *argv])
    args.overrides = list(overrides)
    threads = torch.get_num_threads()
    try:
        return int(args.func(args))
    finally:
        torch.set_num_threads(threads)


def test_train_saves_a_model_and_evaluate_measures_it(
    captioned_dataset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["train", str(RECIPE), "--dataset", captioned_dataset, "--out", str(tmp_path), "--steps", "2", "--json"]
    assert _clip(argv, SMALL) == 0
    said = capsys.readouterr()
    assert 0 <= json.loads(said.out)["auc"] <= 1
    assert "kept back" in said.err
    assert _clip(["evaluate", str(tmp_path / "weights.safetensors"), "--dataset", captioned_dataset]) == 0
    assert "48 clips (chance 2.08%)" in capsys.readouterr().out


def test_an_override_of_the_wrong_kind_names_its_key(captioned_dataset: str, tmp_path: Path) -> None:
    argv = ["train", str(RECIPE), "--dataset", captioned_dataset, "--out", str(tmp_path)]
    with pytest.raises(ConfigError, match=r"the config has no 'step'; did you mean 'steps'"):
        _clip(argv, ("step=3",))


def test_weights_that_are_not_there_are_named(captioned_dataset: str) -> None:
    with pytest.raises(ConfigError, match=r"clip.weights: there is no file gone.safetensors"):
        _clip(["evaluate", "gone.safetensors", "--dataset", captioned_dataset])


def test_the_recipe_says_every_key() -> None:
    assert load_config(ClipTrainConfig, RECIPE).model_fields_set == ClipTrainConfig.model_fields.keys()
