"""The model that a training begins with: one that is given, or a new one."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from captioner.finetune.config import FinetuneConfig
from captioner.finetune.engine import Ranks
from captioner.model_folder import ModelFolder, find_model, one_line
from captioner.positions import mend_positions
from captioner.random_start import random_start
from captioner.torch_ready import need_transformers
from schemas import ConfigError

_FOLDER = "start"


def start_folder(config: FinetuneConfig, texts: Iterable[str], out: Path, ranks: Ranks) -> ModelFolder:
    """The folder of the model; without `config.model` a new one is written to `out`, the same for the same texts.

    Args:
        config: Names a model, or the shape of a new one.
        texts: What a new tokenizer is learnt from.
        out: The training's folder.
        ranks: The first writes, the others wait.

    Raises:
        ConfigError: There is no such model.
    """
    import torch

    if config.model is not None:
        return find_model(config.model, key="model")
    folder = out / _FOLDER
    if ranks.is_first and not folder.exists():
        part = out / f"part-{_FOLDER}"
        shutil.rmtree(part, ignore_errors=True)
        random_start(config.start, texts, part)
        part.rename(folder)
    torch.distributed.barrier()
    return find_model(str(folder), key="model")


def load_start(folder: ModelFolder, config: FinetuneConfig) -> Any:
    """The model in training mode, with what is to be trained marked, placing words as engines do.

    Raises:
        ConfigError: transformers does not know it, or its weights are not whole.
    """
    need_transformers()
    from transformers import AutoModelForImageTextToText

    read: Any = AutoModelForImageTextToText.from_pretrained
    try:
        model, found = read(
            str(folder.path),
            dtype=config.dtype,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ConfigError(f"model: {folder.path}: {one_line(error)}") from error
    if lacking := sorted(found["missing_keys"]):
        raise ConfigError(f"model: {folder.path}: the weights lack {lacking[0]}")
    mend_positions(model)
    if config.freeze_vision:
        model.model.visual.requires_grad_(False)
    return model.train()
