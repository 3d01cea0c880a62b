"""A training whose ranks are workers of Ray Train, one of which is killed on the way."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.bench.made_shards import make_shards
from infra.bench.processes import children, kill
from infra.ray_training import train_on_ray
from schemas import ConfigError
from trainer.config import TrainConfig
from trainer.loop import train
from trainer.metrics import StepRecord

pytestmark = pytest.mark.timeout(240)
SIZES = ((1, 8, 8), (3, 4, 8), (5, 6, 4), (2, 8, 12))
CONFIG = TrainConfig.model_validate(
    {
        "steps": 24,
        "model": {"size": "tiny", "depth": 2, "width": 32, "heads": 2},
        "packing": {"token_budget": 128, "packs_per_step": 2},
        "engine": {"precision": "fp32", "threads": 1},
        "checkpoint": {"every_steps": 5},
        "held_out": {"every_steps": 12, "num_samples": 2, "num_times": 3},
        "data": {"held_out_ratio": 0.1},
    }
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = str(tmp_path_factory.mktemp("made"))
    make_shards(root, [SIZES[k % 4] for k in range(40)])
    return root


def on_ray(dataset: str, out: Path, report: Any, **values: Any) -> None:
    given = {"config": CONFIG, "resume": False, "num_ranks": 2, "address": None, "max_failures": 2, **values}
    train_on_ray(dataset=dataset, out=out, report=report, **given)


# It takes most of a minute: Ray starts twice two workers, each with DeepSpeed. `make stress` runs it.
@pytest.mark.stress
def test_two_ranks_that_read_from_s3_and_lose_one_of_them_end_as_one_process_on_a_disk(
    dataset: str, tmp_path: Path, s3: Any
) -> None:
    make_shards(f"{s3.url}/ds", [SIZES[k % 4] for k in range(40)])
    told: list[StepRecord] = []
    killed: list[int] = []

    def report(record: StepRecord) -> None:
        told.append(record)
        if record.step >= 7 and not killed:
            victim = next(pid for pid in descendants(os.getpid()) if b"RayTrainWorker" in command_line(pid))
            assert kill(victim)
            killed.append(victim)

    on_ray(f"{s3.url}/ds", tmp_path / "ray", report)
    train(CONFIG, dataset, tmp_path / "alone", resume=False, report=lambda record: None)
    assert killed
    found, expected = (steps(tmp_path / name) for name in ("ray", "alone"))
    assert [line["clip_ids_digest"] for line in found] == [line["clip_ids_digest"] for line in expected]
    assert [line["loss"] for line in found] == pytest.approx([line["loss"] for line in expected], abs=1e-5)
    assert [record.step for record in told] == [*range(1, CONFIG.steps + 1)]
    assert (tmp_path / "ray" / "model").is_dir()
    assert not (tmp_path / "ray" / ".ray").exists()


def test_more_ranks_than_the_cluster_has_places_are_refused(dataset: str, tmp_path: Path) -> None:
    many = len(os.sched_getaffinity(0)) + 1
    config = CONFIG.model_copy(update={"packing": CONFIG.packing.model_copy(update={"packs_per_step": many})})
    with pytest.raises(ConfigError, match=f"--ranks is {many}, and the Ray cluster has {many - 1} CPUs"):
        on_ray(dataset, tmp_path / "run", lambda record: None, config=config, num_ranks=many)


def steps(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "steps.jsonl").read_text().splitlines()]


def descendants(pid: int) -> Iterator[int]:
    for child in children(pid):
        yield child
        yield from descendants(child)


def command_line(pid: int) -> bytes:
    path = Path(f"/proc/{pid}/cmdline")
    return path.read_bytes() if path.exists() else b""
