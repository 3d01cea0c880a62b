"""Folders of weights: only safetensors, and only whole files, are ever loaded."""

from __future__ import annotations

import json
from pathlib import Path

from schemas.errors import ConfigError

WEIGHTS_PATTERN = "*.safetensors"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_MAX_HEADER_BYTES = 100 << 20


def check_weights(folder: Path, key: str) -> None:
    """Refuse a folder whose weights are missing, cut off, or could run code.

    Args:
        folder: What should hold them.
        key: The config key that names it, for messages.

    Raises:
        ConfigError: There are none, or one of them is not whole.
    """
    found = sorted(folder.glob(WEIGHTS_PATTERN))
    if not found:
        pickles = [path.name for pattern in _PICKLES for path in folder.glob(pattern)]
        hint = f"; {pickles[0]} may hold code and is not loaded" if pickles else ""
        raise ConfigError(f"{key}: {folder}: has no weights ({WEIGHTS_PATTERN}){hint}")
    for path in found:
        if not _is_whole(path):
            raise ConfigError(f"{key}: {path}: is cut off or no file of weights")


def _is_whole(path: Path) -> bool:
    """Whether a file of weights is as long as its own header says.

    Source: the format of safetensors: 8 bytes of length, a header in JSON, and the numbers.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= _MAX_HEADER_BYTES:
                return False
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        ends = [int(entry["data_offsets"][1]) for entry in header.values()]
        return path.stat().st_size == 8 + length + max(ends)
    except (OSError, ValueError, AttributeError, KeyError, IndexError, TypeError, RecursionError):
        return False
