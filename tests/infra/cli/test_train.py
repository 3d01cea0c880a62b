from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.bench.made_shards import make_shards
from infra.cli.main import main

CONFIG = """
steps: 3
model: {size: tiny, depth: 2, width: 32, heads: 2}
packing: {token_budget: 128, packs_per_step: 2}
engine: {precision: fp32}
data: {held_out_ratio: 0.1}
held_out: {num_samples: 0}
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = str(tmp_path_factory.mktemp("made"))
    make_shards(root, [((1, 8, 8), (3, 4, 8), (5, 6, 4), (2, 8, 12))[k % 4] for k in range(40)])
    return root


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "train.yaml"
    path.write_text(CONFIG)
    return str(path)


def test_a_training_writes_its_run_and_tells_which_clips_a_step_saw(
    config: str, dataset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    command = ["train", config, "--dataset", dataset, "--out", str(out)]
    assert main([*command, "--steps", "2"]) == 0
    assert "step 2 of 2: loss" in capsys.readouterr().err
    assert main([*command, "--resume", "engine.threads=1"]) == 0
    lines = [json.loads(line) for line in (out / "steps.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3]
    capsys.readouterr()
    assert main([*command, "--clips-of", "2"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == lines[1]["num_samples"]


def test_a_dry_run_tells_what_would_be_trained_and_starts_nothing(
    config: str, dataset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert main(["train", config, "--dataset", dataset]) == 2
    assert "--out is missing" in capsys.readouterr().err
    command = ["train", config, "--dataset", dataset, "--dry-run", "--ranks", "2"]
    assert main(command) == 0
    assert capsys.readouterr().out
    command += ["--out", str(out)]
    assert main(command) == 0
    told = capsys.readouterr().out
    for word in ("to train on", "<=        32 tokens", "M parameters", "steps of", "waste", "memory", "never seen"):
        assert word in told
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert sum(count for _, count in found["histogram"]) == found["num_samples"]
    assert found["num_samples"] + found["num_held_out"] == 40
    assert 0 <= found["figures"]["padding_ratio"] < 0.3
    assert found["num_kept_without_sample"] == 0
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["packing.token_budget=20"], "packing.token_budget: 34 of 34 samples are larger than 20 tokens"),
        (["model.wide=3"], "command line: model has no 'wide'; did you mean 'width'?"),
        (["model.heads=5"], "width 32 over 5 heads"),
        (["data.text_set=text-0"], "has no set 'text-0'; it has text-"),
        (["engine.zero_stage=3", "engine.compile=true"], "engine: compile does not go with zero_stage 3"),
    ],
)
def test_a_mistake_is_one_sentence(
    arguments: list[str], message: str, config: str, dataset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", config, "--dataset", dataset, "--out", str(tmp_path / "run"), *arguments]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert len(told.splitlines()) == 1
    assert not (tmp_path / "run").exists()
