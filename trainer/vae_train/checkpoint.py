"""Everything that the next step depends on, in one file: a run that is killed goes on as if nothing had happened."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from schemas import ConfigError
from trainer.channels_last import lay_channels_last
from trainer.vae_train.config import VaeTrainConfig

_BETAS = (0.9, 0.95)
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")
_LAST_RATE = 0.1


def learning_rate(config: VaeTrainConfig, step: int) -> float:
    """The rate of a step: up a line, then down a cosine to a tenth."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    share = (step - config.warmup_steps) / max(config.steps - config.warmup_steps, 1)
    return config.learning_rate * (_LAST_RATE + (1 - _LAST_RATE) * 0.5 * (1 + math.cos(math.pi * share)))


class TrainingState:
    """A network under AdamW, with the running mean of its weights.

    Args:
        config: Rates, decay and precision.
        network: In training mode, in single precision.
    """

    def __init__(self, config: VaeTrainConfig, network: torch.nn.Module) -> None:
        self._config = config
        self.network = network
        self.working = network if config.precision == "fp32" else _half(network)
        """What a step computes with, and gathers its gradients in."""
        self.mean = {name: value.detach().clone() for name, value in network.state_dict().items()}
        self._names: dict[torch.Tensor, str] = {value: name for name, value in network.named_parameters()}
        matrices = [value for value in network.parameters() if value.ndim >= 2]
        others = [value for value in network.parameters() if value.ndim < 2]
        groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
        self._adam = torch.optim.AdamW(groups, lr=config.learning_rate, betas=_BETAS)

    def update(self, step: int) -> None:
        """Follow the gradients that there are, and forget them."""
        if self.working is not self.network:
            for value, half in zip(self.network.parameters(), self.working.parameters(), strict=True):
                value.grad, half.grad = None if half.grad is None else half.grad.float(), None
        for group in self._adam.param_groups:
            group["lr"] = learning_rate(self._config, step)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self._config.max_gradient)
        self._adam.step()
        self._adam.zero_grad()
        self._take_up()
        # Early weights are far from the last ones: the mean begins short and grows to its full length.
        decay = min(self._config.ema_decay, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                if value.is_floating_point():
                    self.mean[name].lerp_(value, 1 - decay)
                else:
                    self.mean[name].copy_(value)

    @torch.no_grad()
    def _take_up(self) -> None:
        """Round the weights to those that a step computes with."""
        if self.working is not self.network:
            for value, half in zip(self.network.parameters(), self.working.parameters(), strict=True):
                half.copy_(value)

    def save(self, path: Path, run: str, done: int) -> None:
        """Write it whole, or leave what was there."""
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"mean.{name}": value for name, value in self.mean.items()}
        for value, state in self._adam.state.items():
            tensors |= {f"{key}.{self._names[value]}": state[key] for key in _MOMENTS}
        write_whole(path, tensors, {"run": run, "steps": str(done)})

    def resume(self, path: Path, run: str) -> int:
        """Take up a checkpoint; give the number of steps done, 0 where there is none.

        Raises:
            ConfigError: It is damaged, or of a run with another config or other clips.
        """
        if not path.exists():
            return 0
        try:
            with safe_open(path, "pt") as file:
                said = dict(file.metadata() or {})
            tensors = load_file(path)
        except (SafetensorError, OSError) as error:
            raise ConfigError(f"{path}: is no checkpoint: {error}") from error
        if said.get("run") != run or not said.get("steps", "").isdigit():
            raise ConfigError(
                f"{path} is of a run with another config or other clips: name another --out, or remove it"
            )
        self.network.load_state_dict({name: tensors[f"network.{name}"] for name in self.mean})
        self._take_up()
        for name, value in self.mean.items():
            value.copy_(tensors[f"mean.{name}"])
        for value, name in self._names.items():
            held = {key: tensors[f"{key}.{name}"] for key in _MOMENTS}
            self._adam.state[value] = {
                key: kept if key == "step" else kept.to(value.device) for key, kept in held.items()
            }
        return int(said["steps"])


def _half(network: torch.nn.Module) -> torch.nn.Module:
    """A copy in bfloat16."""
    half = copy.deepcopy(network)
    # The class's own `to` warns of a loss of precision, which is what is meant.
    torch.nn.Module.to(half, dtype=torch.bfloat16)
    lay_channels_last(half)
    return half


def write_whole(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file whole, or leave what was there.

    Raises:
        ConfigError: It cannot be written.
    """
    scratch = path.with_name(f"{path.name}.tmp")
    try:
        with scratch.open("wb") as file:
            file.write(save({name: value.contiguous().cpu() for name, value in tensors.items()}, dict(metadata)))
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror or error}") from error
