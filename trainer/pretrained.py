"""Folders of pretrained weights, on this machine or of the hub: found and checked before anything heavy is loaded."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from schemas import ConfigError, digest, file_digest
from schemas.weights import WEIGHTS_PATTERN, check_weights

_DECIDING = (WEIGHTS_PATTERN, "*.json", "*.txt", "*.model", "*.txt.gz")
"""Files that decide what comes out: weights, configs, and tokenizers in all their forms."""
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+(/[\w.-]+)*")
_SILENCE_S = 10.0
"""A hub that has not answered by then is not there."""


@dataclass(frozen=True)
class Pretrained:
    """A folder with weights in safetensors and a description of their model."""

    path: Path
    about: Mapping[str, Any]
    """What the description says."""

    @cached_property
    def digest(self) -> str:
        """Of every file that decides what comes out; where the folder lies does not count."""
        found = sorted({path for pattern in _DECIDING for path in self.path.glob(pattern)})
        return digest([[path.name, file_digest(path)] for path in found])


def find_pretrained(
    name: str, *, key: str, descriptions: tuple[str, ...] = ("config.json",), has_weights: bool = True
) -> Pretrained:
    """Find a folder, downloading it into the hub's cache where it is of the hub and not there yet.

    Args:
        name: A folder, or `OWNER/MODEL` of the hub, or `OWNER/MODEL/FOLDER` for a part of it.
        key: The config key that names it, for messages.
        descriptions: Names of the file that describes the model; the first that is there counts.
        has_weights: Whether there must be weights, as there are not beside a tokenizer.

    Raises:
        ConfigError: It is not there, cannot be had, or has no weights that may be loaded.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir():
        if _HUB_NAME.fullmatch(name) is None or name.startswith((".", "/", "~")):
            raise ConfigError(f"{key}: {name}: there is no such folder")
        folder = _of_hub(name, key)
    described = next((folder / file for file in descriptions if (folder / file).is_file()), None)
    if described is None:
        raise ConfigError(f"{key}: {name}: holds no model (there is no {' or '.join(descriptions)})")
    try:
        about = json.loads(described.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{key}: {described}: cannot be read: {error}") from error
    if not isinstance(about, dict):
        raise ConfigError(f"{key}: {described}: must hold keys and values")
    if has_weights:
        check_weights(folder, key)
    return Pretrained(folder, about)


def _of_hub(name: str, key: str) -> Path:
    """A folder of the hub: from the cache, else downloaded."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    owner, model, *parts = name.split("/")
    below = "/".join(parts)
    patterns = [f"{below}/{pattern}" if below else pattern for pattern in _DECIDING]
    # A star of the hub's also stands for a slash: without this, all folders of a model would come along.
    others = None if below else ["*/*"]
    for only_local in (True, False):
        try:
            if not only_local:
                _reach_hub()
            got = snapshot_download(
                f"{owner}/{model}", allow_patterns=patterns, ignore_patterns=others, local_files_only=only_local
            )
        except LocalEntryNotFoundError as error:
            if only_local:
                continue
            raise ConfigError(
                f"{key}: {name}: is no folder here, and cannot be had from the hub: {_first_line(error)}"
            ) from error
        except (HfHubHTTPError, HFValidationError, OSError) as error:
            raise ConfigError(f"{key}: {name}: cannot be had from the hub: {_first_line(error)}") from error
        if any((Path(got) / below).glob("*.json")):
            return Path(got) / below
    raise ConfigError(f"{key}: {name}: holds no model on the hub")


def _reach_hub() -> None:
    """Ask at the hub's door: its own client tries for a minute to reach what cannot be reached.

    Raises:
        OSError: Nobody answers.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return
    try:
        with urllib.request.urlopen(constants.ENDPOINT, timeout=_SILENCE_S):  # noqa: S310 - the hub's, or its mirror's
            pass
    except urllib.error.HTTPError:
        # An answer, if no page.
        return


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
