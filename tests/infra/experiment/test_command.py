from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.cli.main import main
from infra.experiment import ExperimentConfig
from infra.experiment.commands import train_and_judge


def test_a_mistake_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "experiment.yaml"
    recipe.write_text("films:\n  nun: 100\n")
    assert main(["experiment", "compute", str(recipe)]) == 2
    assert "nun" in capsys.readouterr().err


def test_a_step_that_fails_ends_the_experiment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "experiment.yaml"
    curation = tmp_path / "curation.yaml"
    curation.write_text("scan:\n  min_clip_s: -1\n")
    recipe.write_text(f"films:\n  num: 20\ncuration: {curation}\nout: {tmp_path / 'out'}\n")
    assert main(["experiment", "compute", str(recipe)]) == 2
    assert "rushes run ended with status 2" in capsys.readouterr().err


def test_what_was_judged_before_is_read(tmp_path: Path) -> None:
    run = tmp_path / "run"
    verdicts = run / "judged-20"
    verdicts.mkdir(parents=True)
    lines = [{"name": name, "score": score, "ceiling": 1.0} for name, score in (("framed", 0.5), ("color", 0.25))]
    (verdicts / "table.json").write_text(json.dumps({"lines": lines}))
    steps = [{"step": step, "tokens": 100, "elapsed_s": 2.0} for step in range(1, 31)]
    (run / "steps.jsonl").write_text("".join(json.dumps(row) + "\n" for row in steps))
    (run / "heldout.jsonl").write_text('{"step": 20, "loss": 0.4}\n{"step": 30, "loss": 0.3}\n')
    judged = train_and_judge(ExperimentConfig(), tmp_path / "dataset", run, 0, 20, print)
    assert (judged.tokens, judged.seconds, judged.held_out) == (2000, 40.0, 0.4)
    assert judged.scores == {"framed": 0.5, "color": 0.25}
