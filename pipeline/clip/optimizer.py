"""One update of a CLIP, and the checkpoint from which the next one goes on as if nothing had happened."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.clip.tensors import read_metadata, read_tensors, write_tensors
from pipeline.clip.train_config import ClipTrainConfig
from schemas import ConfigError

if TYPE_CHECKING:
    import torch

_BETAS = (0.9, 0.98)
_MAX_LOGIT_SCALE = math.log(100)
"""Source: both from Radford et al., "Learning transferable visual models from natural language supervision", 2.5."""
_MAX_GRADIENT = 1.0
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def learning_rate(config: ClipTrainConfig, step: int) -> float:
    """The rate of a step: up a line, then down a cosine to 0."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    share = (step - config.warmup_steps) / max(config.steps - config.warmup_steps, 1)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * share))


class Optimizer:
    """AdamW over a network under open_clip's contrastive loss.

    Args:
        config: Rates and decay.
        network: In training mode.
    """

    def __init__(self, config: ClipTrainConfig, network: torch.nn.Module) -> None:
        import torch

        from pipeline.clip.borrowed import ClipLoss

        self._config = config
        self._network = network
        self._loss = ClipLoss()
        self._names: dict[torch.Tensor, str] = {parameter: name for name, parameter in network.named_parameters()}
        decayed = [parameter for parameter in network.parameters() if parameter.ndim >= 2]
        others = [parameter for parameter in network.parameters() if parameter.ndim < 2]
        self._adam = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}],
            lr=config.learning_rate,
            betas=_BETAS,
        )

    def step(self, step: int, pictures: torch.Tensor, tokens: torch.Tensor) -> float:
        """Update the weights; give the loss before it.

        Args:
            step: Its number, from 0.
            pictures: float32 (B, 3, size, size).
            tokens: int64 (B, context).

        Raises:
            ConfigError: The loss is no longer finite.
        """
        import torch

        for group in self._adam.param_groups:
            group["lr"] = learning_rate(self._config, step)
        image, text, scale = self._network(pictures, tokens)[:3]
        loss: torch.Tensor = self._loss(image, text, scale)
        if not math.isfinite(loss.item()):
            raise ConfigError(f"the loss of step {step} is {loss.item()}: take a lower learning_rate")
        self._adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), _MAX_GRADIENT)
        self._adam.step()
        with torch.no_grad():
            self._network.logit_scale.clamp_(0, _MAX_LOGIT_SCALE)  # type: ignore[operator]
        return loss.item()

    def save(self, path: Path, run: str, done: int) -> None:
        """Write everything that the next step depends on, or leave what was there."""
        tensors = {f"network.{name}": tensor for name, tensor in self._network.state_dict().items()}
        for parameter, state in self._adam.state.items():
            tensors |= {f"{key}.{self._names[parameter]}": state[key] for key in _MOMENTS}
        write_tensors(path, tensors, {"run": run, "steps": str(done)})

    def resume(self, path: Path, run: str) -> int:
        """Take up a checkpoint; give the number of steps done, 0 where there is none.

        Raises:
            ConfigError: It is of a run with another config or other clips.
        """
        if not path.exists():
            return 0
        tensors = read_tensors(path, "checkpoint")
        said = read_metadata(path)
        if said.get("run") != run or not said.get("steps", "").isdigit():
            raise ConfigError(
                f"{path} is of a run with another config or other clips: name another --out, or remove it"
            )
        network = self._network.state_dict()
        self._network.load_state_dict({name: tensors[f"network.{name}"] for name in network})
        for parameter, name in self._names.items():
            self._adam.state[parameter] = {key: tensors[f"{key}.{name}"] for key in _MOMENTS}
        return int(said["steps"])
