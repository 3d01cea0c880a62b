"""A folder with a vision-language model, checked before anything heavy is loaded."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from schemas import ConfigError, digest

_WEIGHTS = "*.safetensors"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_PIECE_BYTES = 1 << 22


@dataclass(frozen=True)
class ModelFolder:
    """A model in the form that transformers saves and vLLM reads."""

    path: Path
    config: dict[str, Any]

    @property
    def model_id(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @property
    def architecture(self) -> str:
        """The name of its class."""
        return str(self.config["architectures"][0])

    @cached_property
    def digest(self) -> str:
        """Of every file that decides what it answers."""
        names = sorted({*self.path.glob(_WEIGHTS), *self.path.glob("*.json"), *self.path.glob("*.jinja")})
        return digest([[path.name, _file_digest(path)] for path in names])


def find_model(path: str, *, key: str) -> ModelFolder:
    """Look at a model's folder.

    Args:
        path: The folder.
        key: The config key that names it, for messages.

    Raises:
        ConfigError: It is not there, or has no weights that may be loaded.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise ConfigError(f"{key}: {path}: there is no such folder")
    if not (folder / "config.json").is_file():
        raise ConfigError(f"{key}: {path}: holds no model (there is no config.json)")
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{key}: {path}/config.json: cannot be read: {error}") from error
    named = config.get("architectures") if isinstance(config, dict) else None
    if not (isinstance(named, list) and named and isinstance(named[0], str)):
        raise ConfigError(f"{key}: {path}/config.json: names no architecture")
    if not any(folder.glob(_WEIGHTS)):
        pickles = [found.name for pattern in _PICKLES for found in folder.glob(pattern)]
        hint = f"; {pickles[0]} may hold code and is not loaded" if pickles else ""
        raise ConfigError(f"{key}: {path}: has no weights ({_WEIGHTS}){hint}")
    return ModelFolder(folder, config)


def _file_digest(path: Path) -> str:
    state = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            state.update(piece)
    return state.hexdigest()
