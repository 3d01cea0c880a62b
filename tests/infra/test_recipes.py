from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from captioner.evaluate.config import EvaluateConfig
from captioner.finetune.config import FinetuneConfig
from infra.cli.run import RECIPES
from infra.config import RunConfig
from infra.evaluate.config import EvaluateConfig as VideoEvaluateConfig
from infra.experiment import ExperimentConfig
from infra.policy import PolicyConfig
from infra.sample_config import SampleConfig
from pipeline.buckets.config import check_budget
from pipeline.clip.train_config import ClipTrainConfig
from schemas import Config, load_config
from trainer.config import TrainConfig
from trainer.vae_train.config import VaeTrainConfig

FILES = sorted(RECIPES.glob("*.yaml"))
CONFIGS: dict[str, type[Config]] = {
    "captioner-evaluate": EvaluateConfig,
    "captioner-train": FinetuneConfig,
    "clip-train": ClipTrainConfig,
    "demo-evaluate": VideoEvaluateConfig,
    "demo-sample": SampleConfig,
    "demo-train": TrainConfig,
    "experiment": ExperimentConfig,
    "policy": PolicyConfig,
    "vae-train": VaeTrainConfig,
}
"""Of recipes that are not for `rushes run`."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_recipe_loads(path: Path) -> None:
    load_config(CONFIGS.get(path.stem, RunConfig), path)


@pytest.mark.parametrize("path", [path for path in FILES if path.stem not in CONFIGS], ids=lambda path: path.stem)
def test_the_longest_clips_of_a_recipe_are_not_pressed_too_small(path: Path) -> None:
    config = load_config(RunConfig, path)
    check_budget(config.bucket, config.scan.max_clip_s)


def test_the_default_recipe_shows_every_key_with_its_default() -> None:
    written = yaml.safe_load((RECIPES / "default.yaml").read_text())
    assert written == RunConfig().model_dump(mode="json")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_key_has_a_comment_above_it(path: Path) -> None:
    lines = path.read_text().splitlines()
    for before, line in pairwise(lines):
        is_value = ":" in line and not line.lstrip().startswith("#") and not line.endswith(":")
        assert not is_value or before.lstrip().startswith("#"), line


def test_the_schema_for_editors_is_that_of_the_config() -> None:
    """To renew it: write `RunConfig.model_json_schema()` there, indented by 1."""
    written = json.loads((RECIPES / "config.schema.json").read_text())
    assert written == RunConfig.model_json_schema()
