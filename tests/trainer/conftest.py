"""A dataset of made latents of several sizes, and the config of a training that takes a second."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from infra.bench.made_shards import make_shards
from trainer.config import TrainConfig

SIZES = ((1, 8, 8), (3, 4, 8), (5, 6, 4), (2, 8, 12))

TINY: dict[str, Any] = {
    "steps": 10,
    "model": {"size": "tiny", "depth": 2, "width": 32, "heads": 2},
    "packing": {"token_budget": 128, "packs_per_step": 2},
    "engine": {"precision": "fp32", "threads": 1},
    "checkpoint": {"every_steps": 5},
    "held_out": {"every_steps": 5, "num_samples": 2, "num_times": 3},
    "optimizer": {"warmup_steps": 2, "learning_rate": 1e-3},
    "data": {"held_out_ratio": 0.1},
    "ema_decay": 0.99,
}


@pytest.fixture(scope="session")
def made_shards(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Forty samples of four sizes."""
    root = str(tmp_path_factory.mktemp("made"))
    make_shards(root, [SIZES[k % 4] for k in range(40)])
    return root


@pytest.fixture(scope="session")
def tiny_config() -> Callable[..., TrainConfig]:
    """The config, with `section={key: value}` or `key=value` in the place of some of it."""

    def config(**changes: Any) -> TrainConfig:
        return TrainConfig.model_validate(merged(TINY, changes))

    return config


def merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(values)
    for name, value in changes.items():
        both[name] = merged(both.get(name, {}), value) if isinstance(value, dict) else value
    return both


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def read_log() -> Callable[[Path], list[dict[str, Any]]]:
    """The lines of a log of a run."""

    def read(path: Path) -> list[dict[str, Any]]:
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    return read
