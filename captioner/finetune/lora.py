"""LoRA by the library peft: small matrices beside frozen weights, and the weights with them merged in."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from captioner.finetune.config import LoraConfig
from schemas import ConfigError


def with_lora(model: Any, config: LoraConfig) -> Any:
    """The model with small matrices beside the layers that the config names; only those can be trained.

    Raises:
        ConfigError: No layer has such a name, or peft is not installed.
    """
    try:
        import peft
    except ImportError as error:
        raise ConfigError(
            f"lora needs the package peft, which is not installed: rushes[captioner] ({error})"
        ) from error
    wanted = peft.LoraConfig(
        r=config.rank, lora_alpha=config.alpha, lora_dropout=config.dropout, target_modules=list(config.targets)
    )
    try:
        return peft.get_peft_model(model, wanted)
    except ValueError as error:
        raise ConfigError(f"lora.targets: the model has no layer that ends in {', '.join(config.targets)}") from error


def merged(model: Any) -> Any:
    """A copy of the first form again, with the small matrices added to the weights."""
    return deepcopy(model).merge_and_unload()
