"""A training on two ranks whose ranks are killed, one or all, at steps drawn by chance."""

from __future__ import annotations

import json
import random
import secrets
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.bench.made_shards import make_shards
from infra.bench.processes import Marked, children, kill, wait_for

pytestmark = pytest.mark.stress

_SIZES = ((1, 8, 8), (3, 4, 8), (5, 6, 4), (2, 8, 12))
_STEPS, _NUM_KILLS = 240, 10
_RUN_S = 300.0
_CONFIG: dict[str, Any] = {
    "steps": _STEPS,
    "model": {"size": "tiny", "depth": 2, "width": 32, "heads": 2},
    "packing": {"token_budget": 128, "packs_per_step": 2},
    "engine": {"precision": "fp32", "threads": 1, "zero_stage": 2},
    "checkpoint": {"every_steps": 7},
    "held_out": {"every_steps": 40, "num_samples": 2, "num_times": 3},
    "optimizer": {"warmup_steps": 2, "learning_rate": 1e-3},
    "data": {"held_out_ratio": 0.1},
    "ema_decay": 0.99,
}
_TOLD = ("step", "loss", "tokens", "grad_norm", "num_samples", "clip_ids_digest")


def test_whatever_rank_dies_the_steps_are_those_of_an_undisturbed_run(tmp_path: Path) -> None:
    make_shards(str(tmp_path / "ds"), [_SIZES[k % 4] for k in range(60)])
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(_CONFIG))
    with launched(tmp_path, "undisturbed") as run:
        assert run.wait(_RUN_S) == 0, run.output
    seed = secrets.randbelow(10**6)
    rng = random.Random(seed)
    out = tmp_path / "disturbed"
    places = sorted(rng.sample(range(1, _STEPS), _NUM_KILLS))
    for place in places:
        with launched(tmp_path, "disturbed") as run:
            assert wait_for(lambda place=place: num_lines(out) >= place, _RUN_S), run.output  # type: ignore[misc]
            whole = rng.random() < 0.5
            victims = ranks_of(run) if whole else [rng.choice(ranks_of(run))]
            was_alive = [kill(pid) for pid in victims]
            assert any(was_alive)
            # A rank that lost another one is ended by its launcher; what hangs is killed with the block.
            status = run.wait(_RUN_S)
            assert status != 0
        print(f"seed {seed}: {'all ranks' if whole else 'one rank'} killed after step {place}")
    with launched(tmp_path, "disturbed") as run:
        assert run.wait(_RUN_S) == 0, run.output
    found, expected = told(out), told(tmp_path / "undisturbed")
    assert found == expected
    assert (out / "heldout.jsonl").read_text() == (tmp_path / "undisturbed" / "heldout.jsonl").read_text()
    print(f"seed {seed}: {len(found)} steps equal to those of the undisturbed run, loss, gradient and clips")


def launched(folder: Path, name: str) -> Marked:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "infra.cli.main", "train", str(folder / "config.yaml"), "--dataset", str(folder / "ds")]
    return Marked([*command, "--out", str(folder / name), "--resume"], folder / "cwd", {"OMP_NUM_THREADS": "1"})


def ranks_of(run: Marked) -> list[int]:
    return children(run.process.pid)


def num_lines(out: Path) -> int:
    path = out / "steps.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def told(out: Path) -> list[list[Any]]:
    lines = [json.loads(line) for line in (out / "steps.jsonl").read_text().splitlines()]
    return [[line[name] for name in _TOLD] for line in lines]
