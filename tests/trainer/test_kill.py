from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from trainer.config import TrainConfig
from trainer.loop import train

STEPS = 50
KILLED_AFTER = (12, 30)


def num_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_a_run_that_was_killed_goes_on_as_if_nothing_had_happened(
    made_shards: str,
    tiny_config: Callable[..., TrainConfig],
    tmp_path: Path,
    read_log: Callable[[Path], list[dict[str, Any]]],
) -> None:
    # Every piece is a process of its own, as it is for people: what else ran in a process can change the last digit of
    # a sum.
    config = tiny_config(
        steps=STEPS, checkpoint={"every_steps": 7}, held_out={"every_steps": 20}, engine={"threads": 1}
    )
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")))

    def piece(out: Path, kill_after: int = STEPS) -> None:
        command = [sys.executable, "-m", "infra.cli.main", "train", str(path), "--dataset", made_shards]
        command += ["--out", str(out), "--resume"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            deadline = time.monotonic() + 90
            if kill_after == STEPS:
                said, _ = process.communicate(timeout=90)
                assert process.returncode == 0, said.decode()
                return
            while num_lines(out / "steps.jsonl") < kill_after:
                assert process.poll() is None, process.stdout and process.stdout.read().decode()
                assert time.monotonic() < deadline
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    piece(whole)
    for place in KILLED_AFTER:
        piece(killed, place)
        assert place <= num_lines(killed / "steps.jsonl") < STEPS
        # A line that the kill has cut in two.
        with (killed / "steps.jsonl").open("a") as file:
            file.write('{"step": 9')
    piece(killed)
    found, expected = (read_log(folder / "steps.jsonl") for folder in (killed, whole))
    names = ("step", "loss", "tokens", "grad_norm", "clip_ids_digest")
    assert [[line[name] for name in names] for line in found] == [[line[name] for name in names] for line in expected]
    assert read_log(killed / "heldout.jsonl") == read_log(whole / "heldout.jsonl")


def test_asking_to_resume_a_run_that_never_began_begins_it(
    made_shards: str, tiny_config: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    steps: list[int] = []
    config = tiny_config(steps=1, held_out={"num_samples": 0})
    train(config, made_shards, tmp_path / "run", resume=True, report=lambda record: steps.append(record.step))
    assert steps == [1]


@pytest.mark.parametrize("missing", ["run.json", "samples.parquet"])
def test_a_run_whose_files_are_gone_or_damaged_is_refused(
    missing: str, made_shards: str, tiny_config: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    from schemas import ConfigError
    from trainer.loop import begin
    from trainer.run_folder import RunFolder

    config, folder = tiny_config(), RunFolder(tmp_path / "run")
    begin(folder, config, made_shards, resume=False, num_ranks=1)
    (folder.path / missing).write_text("{}")
    with pytest.raises(ConfigError, match=missing.replace(".", r"\.")):
        begin(folder, config, made_shards, resume=True, num_ranks=1)
