from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainer.config import TrainConfig
from trainer.loop import train

# Two ranks on two cores that others use as well wait for each other at every step.
pytestmark = pytest.mark.timeout(300)
HERE = Path(__file__).parent
GOLDEN = (1.189609, 1.305437, 1.200710, 1.212337, 1.205689, 1.023088, 1.108739, 1.159660, 1.153818, 1.201029)

Log = Callable[[Path], list[dict[str, Any]]]
Config = Callable[..., TrainConfig]


def config_of(tiny_config: Config) -> TrainConfig:
    # Three packs over two ranks: one of them sits the fourth out.
    return tiny_config(packing={"packs_per_step": 3}, held_out={"every_steps": 5})


@pytest.fixture(scope="module")
def together(made_shards: str, tiny_config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what one rank did (`alone`) and what two did."""
    folder = tmp_path_factory.mktemp("two")
    config = config_of(tiny_config)
    train(config, made_shards, folder / "alone", resume=False, report=lambda record: None)
    train(
        config.model_copy(update={"steps": 5}), made_shards, folder / "grown", resume=False, report=lambda record: None
    )
    (folder / "config.json").write_text(config.model_dump_json())
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += [str(HERE / "two_ranks.py"), made_shards, str(folder), str(folder / "config.json")]
    root = str(HERE.parents[1])
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": root, "OMP_NUM_THREADS": "1", "HOME": str(folder)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def losses(path: Path, read_log: Log) -> list[float]:
    return [line["loss"] for line in read_log(path / "steps.jsonl")]


def digests(path: Path, read_log: Log) -> list[str]:
    return [line["clip_ids_digest"] for line in read_log(path / "steps.jsonl")]


def test_two_ranks_have_the_losses_that_are_known_under_every_stage(together: Path) -> None:
    found = json.loads((together / "golden.json").read_text())
    assert set(found) == {"1", "2", "3"}
    for stage in found:
        assert found[stage] == pytest.approx(GOLDEN, abs=2e-6)


@pytest.mark.parametrize("name", ["zero1", "zero3", "shared"])
def test_two_ranks_see_the_same_clips_and_have_the_same_losses_as_one(name: str, together: Path, read_log: Log) -> None:
    steps = len(losses(together / name, read_log))
    assert steps == (10 if name == "zero1" else 5)
    assert digests(together / name, read_log) == digests(together / "alone", read_log)[:steps]
    expected = losses(together / "alone", read_log)[:steps]
    assert losses(together / name, read_log) == pytest.approx(expected, abs=1e-5)
    held = [read_log(together / run / "heldout.jsonl")[0]["loss"] for run in (name, "alone")]
    assert held[0] == pytest.approx(held[1], abs=1e-4)


def test_one_rank_takes_up_what_two_have_done_and_two_what_one_has(
    together: Path, made_shards: str, tiny_config: Config, tmp_path: Path, read_log: Log
) -> None:
    """Two ranks under ZeRO-2 and then one under ZeRO-1, and the other way round."""
    shutil.copytree(together / "half", tmp_path / "run")
    train(config_of(tiny_config), made_shards, tmp_path / "run", resume=True, report=lambda record: None)
    for run in (tmp_path / "run", together / "grown"):
        assert digests(run, read_log) == digests(together / "alone", read_log)
        assert losses(run, read_log) == pytest.approx(losses(together / "alone", read_log), abs=1e-5)


def test_a_checkpoint_has_a_file_of_each_rank(together: Path) -> None:
    folder = together / "zero1" / "checkpoints" / "00000010"
    assert len(list(folder.glob("rank-*.safetensors"))) == 2


def test_each_rank_hears_what_all_say(together: Path) -> None:
    said = [{"rank": 0, "texts": ["é", None]}, {"rank": 1, "texts": ["ééé", None]}]
    assert [json.loads((together / f"gathered-{rank}.json").read_text()) for rank in (0, 1)] == [said, said]
