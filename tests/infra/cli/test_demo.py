from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from infra.cli import demo
from infra.cli.run import RECIPES
from infra.config import RunConfig
from infra.demo.weights import CLIP_WEIGHTS
from pipeline.curation import curation_steps
from schemas import ConfigError, load_config


def _demo(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    demo.add_parser(parser.add_subparsers())
    args = parser.parse_args(["demo", *argv])
    return int(args.func(args))


def test_the_recipe_takes_the_world_s_own_model_and_a_rule_on_captions(tmp_path: Path) -> None:
    overrides = demo.overrides(tmp_path / "foot age", tmp_path / "data set", "local")
    config = load_config(RunConfig, RECIPES / "demo.yaml", overrides)
    assert config.input == (str(tmp_path / "foot age"),)
    assert config.embedding.weights == str(CLIP_WEIGHTS)
    steps = {step.name: step for step in curation_steps(config)}
    assert "scores/alignment" in steps["select"].reads
    assert [name for name, step in steps.items() if getattr(step, "missing", "")] == ["aesthetic", "safety"]


def test_no_films_are_no_demo() -> None:
    with pytest.raises(ConfigError, match="--films: at least 1, got 0"):
        _demo("--films", "0")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file/footage: cannot be written: Not a directory"):
        _demo("--out", str(tmp_path / "file"))


@pytest.mark.slow
def test_the_demo_finds_what_was_planted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _demo("--out", str(tmp_path), "--films", "2", "--seed", "5", "--executor", "local", "--json") == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found["captions"]["auc"] > 0.9
    assert found["copies"]["exact"] == {"hits": 1, "there": 1}
    assert found["hard_cuts"]["f1"] > 0.9
    assert "against the truth" in said.err
    assert (tmp_path / "report.html").is_file()
