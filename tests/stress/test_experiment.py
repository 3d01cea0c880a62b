"""Both experiments from films to plots, as small as they can be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.stress

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["native-vs-square", "compute"])
def test_an_experiment_ends_with_its_table_and_its_plot(name: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    small = [
        "films.num=40",
        "compared_steps=4",
        "base_steps=3",
        "factors=[1, 2]",
        "seeds=[0, 1]",
        "num_prompts=3",
        f"out={json.dumps(str(out))}",
    ]
    command = [sys.executable, "-m", "infra.cli", "experiment", name, "infra/recipes/experiment.yaml", *small]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ})
    assert ran.returncode == 0, ran.stderr[-3000:]
    found = json.loads((out / f"{name}.json").read_text())
    assert len(found["models"]) == 2
    assert all(len(models) == 2 and models[0]["seed"] == 0 for models in found["models"].values())
    assert (out / f"{name}.svg").read_bytes().startswith(b"<?xml")
    assert ran.stdout == (out / f"{name}.md").read_text()
    # All is there already: the same table comes at once, and nothing is trained.
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert again.stdout == ran.stdout
    assert "rushes train" not in again.stderr
