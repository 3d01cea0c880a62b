"""A trained model as others read it: a folder as diffusers lays them out, tensors in safetensors.

```text
model/
  model_index.json                                     what lies where
  transformer/config.json                              shape of the model, what it says, the digests of its encoders
  transformer/diffusion_pytorch_model.safetensors      the running mean of the weights, as `saved_as` says
  scheduler/scheduler_config.json                      diffusers' FlowMatchEulerDiscreteScheduler
```
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import torch

from schemas import ConfigError
from trainer.checkpoint import MEAN, WEIGHT, Pieces
from trainer.config import TrainConfig
from trainer.model.config import EXPORT_VERSION, RopeConfig
from trainer.model.dit import DiT, DiTParams
from trainer.run_folder import Pinned

_WEIGHTS = "diffusion_pytorch_model.safetensors"


def export(checkpoint: Path, config: TrainConfig, pinned: Pinned, params: DiTParams, out: Path) -> None:
    """Write the model of a checkpoint, whole or not at all.

    Raises:
        ConfigError: It cannot be written.
        DamagedError: The checkpoint is not whole.
    """
    from safetensors.torch import save_file

    with Pieces(checkpoint) as pieces:
        step = pieces.about.step
        whole = dict(pieces.whole(MEAN if MEAN in pieces.kinds() else WEIGHT))
    tensors = {name: tensor.to(getattr(torch, config.saved_as)) for name, tensor in whole.items()}
    shape = dataclasses.asdict(params)
    shape["rope"] = params.rope.model_dump(mode="json") if params.rope else None
    about = {
        "_class_name": "DiT",
        "version": EXPORT_VERSION,
        **shape,
        "patch": list(config.model.patch),
        "flow": config.flow.model_dump(mode="json"),
        "digests": dict(pinned.digests),
        "step": step,
    }
    shift = config.flow.shift
    scheduler = {
        "_class_name": "FlowMatchEulerDiscreteScheduler",
        "num_train_timesteps": 1000,
        "shift": shift.value if shift.rule == "constant" else 1.0,
    }
    index = {
        "_class_name": "RushesPipeline",
        "transformer": ["trainer.model", "DiT"],
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    }
    scratch = out.with_name(f".{out.name}.tmp")
    try:
        if scratch.exists():
            shutil.rmtree(scratch)
        (scratch / "transformer").mkdir(parents=True)
        (scratch / "scheduler").mkdir()
        save_file(tensors, scratch / "transformer" / _WEIGHTS)
        _write(scratch / "transformer" / "config.json", about)
        _write(scratch / "scheduler" / "scheduler_config.json", scheduler)
        _write(scratch / "model_index.json", index)
        if out.exists():
            shutil.rmtree(out)
        scratch.replace(out)
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written: {error.strerror or error}") from error


def _write(path: Path, record: dict[str, Any]) -> None:
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def load_model(folder: Path) -> tuple[DiT, dict[str, Any]]:
    """A model that `export` wrote, on the CPU in fp32, and what its `config.json` says.

    Raises:
        ConfigError: It is not there, or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    place = folder / "transformer"
    try:
        about: dict[str, Any] = json.loads((place / "config.json").read_text(encoding="utf-8"))
        shape = {field.name: about[field.name] for field in dataclasses.fields(DiTParams)}
        rope = RopeConfig.model_validate(shape["rope"]) if shape["rope"] else None
        model = DiT(DiTParams(**{**shape, "rope": rope}))
        tensors = load_file(place / _WEIGHTS)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ConfigError(f"{folder}: holds no model of ours: {str(error).splitlines()[0]}") from error
    if about.get("version") != EXPORT_VERSION:
        raise ConfigError(f"{folder}: is of version {about.get('version')!r}, and we read {EXPORT_VERSION}")
    wanted = {name: tensor.shape for name, tensor in model.state_dict().items()}
    if wanted != {name: tensor.shape for name, tensor in tensors.items()}:
        raise ConfigError(f"{place / _WEIGHTS}: its tensors are not those of {place / 'config.json'}")
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise ConfigError(f"{place / _WEIGHTS}: holds values that are not finite")
    model.load_state_dict(tensors)
    return model.eval(), about
