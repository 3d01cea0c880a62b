"""Two processes learn what one learns."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from infra.cli.main import main
from infra.demo.answered import make_answered

CONFIG = {
    "start": {"width": 64, "layers": 1, "vision_width": 64, "vision_layers": 1, "vocabulary": 400, "max_tokens": 512},
    "frames": {"num_frames": 2, "max_pixels": 7056},
    "phases": [{"prompt": "short", "kinds": {"short": 1}, "steps": 3}],
    # Of seven clips in micro-batches of two neither one rank nor two get even shares.
    "batch_size": 7,
    "micro_batch_size": 2,
    "learning_rate": 0.003,
    "warmup_steps": 1,
    "threads": 1,
    "readers": 1,
}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("zero_stage", [1, 2])
def test_two_ranks_learn_what_one_learns(tmp_path: Path, zero_stage: int) -> None:
    make_answered(tmp_path / "films", seed=90, num=12)
    scan = ["scan.detector=content", "scan.detector_params={threshold: 255}", "--until", "scan", "--executor", "local"]
    assert main(["run", "--input", str(tmp_path / "films"), "--dataset", str(tmp_path / "ds"), *scan]) == 0
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(CONFIG))
    losses = []
    for num_ranks in (1, 2):
        out = tmp_path / f"out{num_ranks}"
        launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={num_ranks}"]
        answers = f"answers=[{tmp_path}/films/answers.jsonl]"
        command = ["captioner", "train", str(tmp_path / "train.yaml"), "--dataset", str(tmp_path / "ds")]
        done = subprocess.run(
            [*launch, "-m", "infra.cli.main", *command, "--out", str(out), answers, f"zero_stage={zero_stage}"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        losses.append([json.loads(line)["loss"] for line in (out / "steps.jsonl").read_text().splitlines()])
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)
