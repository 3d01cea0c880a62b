from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from infra.cli.run import RECIPES
from infra.config import RunConfig
from pipeline.clip.train_config import ClipTrainConfig
from schemas import load_config

FILES = sorted(RECIPES.glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_recipe_loads(path: Path) -> None:
    load_config(ClipTrainConfig if path.stem == "clip-train" else RunConfig, path)


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
