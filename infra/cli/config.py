"""The config of a command: its file, KEY=VALUE on the command line, and the flags that stand for a key."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TypeVar

from schemas import Config, load_config

_C = TypeVar("_C", bound=Config)


def config_of(args: argparse.Namespace, model: type[_C], **flags: str) -> _C:
    """Load the config that a command names.

    Args:
        args: The command line: `config`, `overrides`, and the flags.
        model: What the config holds.
        flags: For a flag's name the key that it sets; a flag that is not given sets nothing.

    Raises:
        ConfigError: The file or a value is wrong.
    """
    overrides = list(getattr(args, "overrides", []))
    for flag, key in flags.items():
        value = getattr(args, flag, None)
        if value is not None:
            overrides.append(f"{key}={json.dumps(str(value) if isinstance(value, Path) else value)}")
    return load_config(model, Path(args.config), overrides)
