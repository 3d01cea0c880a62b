"""A folder with a vision-language model, checked before anything heavy is loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from captioner.config import EngineConfig
from schemas import ConfigError, digest, file_digest
from schemas.weights import WEIGHTS_PATTERN, check_weights

_DECIDING = (WEIGHTS_PATTERN, "*.json", "*.jinja", "*.txt", "*.model")
"""Files that decide what a model answers: weights, configs, templates, and tokenizers in all their forms."""


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
        found = sorted({path for pattern in _DECIDING for path in self.path.glob(pattern)})
        return digest([[path.name, file_digest(path)] for path in found])


class FolderEngine:
    """What engines have in common whose model is a folder.

    Args:
        config: The model, and what it may use.
        key: The config key of the model, for messages.
    """

    def __init__(self, config: EngineConfig, key: str = "caption.engine.model") -> None:
        assert config.model is not None
        self.config = config
        self._folder: ModelFolder = find_model(config.model, key=key)
        self._key = key

    @property
    def model_id(self) -> str:
        """The folder's name."""
        return self._folder.model_id

    @property
    def digest(self) -> str:
        """Of the model's files."""
        return self._folder.digest

    def _unusable(self, error: Exception) -> ConfigError:
        """What to say of a folder that a library refuses."""
        return ConfigError(f"{self._key}: {self._folder.path}: {one_line(error)}")


def one_line(error: Exception) -> str:
    """What a library's error says, short enough for a message."""
    return " ".join(str(error).split())[:300]


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
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{key}: {path}/config.json: cannot be read: {error}") from error
    named = config.get("architectures") if isinstance(config, dict) else None
    if not (isinstance(named, list) and named and isinstance(named[0], str)):
        raise ConfigError(f"{key}: {path}/config.json: names no architecture")
    check_weights(folder, key)
    return ModelFolder(folder, config)
