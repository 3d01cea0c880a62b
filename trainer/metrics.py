"""What is measured of a step: how much of the machines' time went into tokens that teach."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from schemas import ConfigError
from trainer.config import LogConfig

PEAK_TFLOPS = {"H100": 989.0, "H200": 989.0, "H800": 989.0, "A100": 312.0, "A800": 312.0, "B200": 2250.0, "L40S": 362.0}
"""Dense bf16 products a second by the name of a GPU. Source: NVIDIA's data sheets, without sparsity."""
_PROBE_SIDE = 1024
_PROBE_TIMES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """A line of `steps.jsonl`."""

    step: int
    """From 1."""
    epoch: int
    """From 0."""
    loss: float
    """Mean over all tokens that were to be made, of all ranks."""
    tokens: int
    """Video and text tokens of the step's samples."""
    useful_tokens_per_s: float
    """Of all ranks; every one of them is of a sample, since nothing is padded."""
    waste: float
    """Share of the budget of all packs in which there is no token."""
    mfu: float
    """FLOPs of forward and backward passes over those that the devices could have done in the time."""
    data_wait_s: float
    """Seconds that the slowest rank waited for its samples."""
    straggler: float
    """How much longer the slowest rank's forward passes took than the mean's, as a share of the mean's: only these are
    free of waiting for others, under ZeRO 1 and 2."""
    grad_norm: float
    grad_limit: float
    """To which it was scaled down."""
    learning_rate: float
    """Share of its highest rate that each weight had."""
    elapsed_s: float
    """Of the step."""
    num_samples: int
    num_bad: int
    """Samples that were left out."""
    clip_ids_digest: str
    """Of the clips that it learnt from; `rushes train … --clips-of STEP` lists those planned."""

    def to_json(self) -> dict[str, Any]:
        """Every field."""
        return asdict(self)


def peak_flops(config: LogConfig, device: torch.device, dtype: torch.dtype) -> float:
    """FLOPs a second of one device: as configured, as known by its name, or as measured by a product of matrices."""
    if config.peak_tflops is not None:
        return config.peak_tflops * 1e12
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        known = [peak for model, peak in PEAK_TFLOPS.items() if model in name]
        if known and dtype == torch.bfloat16:
            return known[0] * 1e12
    matrix = torch.randn(_PROBE_SIDE, _PROBE_SIDE, generator=torch.Generator().manual_seed(0)).to(device, dtype)
    best = float("inf")
    for _ in range(_PROBE_TIMES):
        started = time.perf_counter()
        (matrix @ matrix)[0, 0].item()
        best = min(best, time.perf_counter() - started)
    return 2 * _PROBE_SIDE**3 / best


class Board(Protocol):
    """Something that draws figures over steps."""

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """Take the figures of a step."""

    def close(self) -> None:
        """No more will come."""


class _TensorBoard:
    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ConfigError(
                "log.tensorboard: the package tensorboard is not installed: pip install 'rushes[boards]'"
            ) from error
        self._writer = SummaryWriter(str(folder))

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class _WeightsAndBiases:
    def __init__(self, project: str, folder: Path, name: str) -> None:
        try:
            import wandb
        except ImportError as error:
            raise ConfigError(
                "log.wandb_project: the package wandb is not installed: pip install 'rushes[boards]'"
            ) from error
        # Kept with the run, so that what goes on after a stop goes on there too.
        kept = folder / "wandb.id"
        if not kept.exists():
            kept.write_text(secrets.token_hex(4), encoding="ascii")
        identity = kept.read_text(encoding="ascii")
        self._run = wandb.init(project=project, dir=str(folder), name=name, id=identity, resume="allow")

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        self._run.log(dict(figures), step=step)

    def close(self) -> None:
        self._run.finish()


def boards(config: LogConfig, run_folder: Path) -> list[Board]:
    """Where figures go besides the run's own files.

    Raises:
        ConfigError: A package that the config asks for is not installed.
    """
    found: list[Board] = []
    if config.tensorboard:
        found.append(_TensorBoard(run_folder / "tensorboard"))
    if config.wandb_project is not None:
        found.append(_WeightsAndBiases(config.wandb_project, run_folder, run_folder.name))
    return found
