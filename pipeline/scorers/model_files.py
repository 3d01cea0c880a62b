"""Model files that come in wheels."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from schemas import ConfigError


def wheel_file(package: str, *parts: str, scorer: str) -> Path:
    """A file in an installed package, which is not imported for it.

    Args:
        package: The package's import name.
        parts: Folders and the name, below the package.
        scorer: Who needs it, for the message.

    Raises:
        ConfigError: The package is not installed, or has no such file.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ConfigError(f"{scorer} needs the package {package}, which is not installed: install rushes[scorers]")
    path = Path(spec.origin).parent.joinpath(*parts)
    if not path.is_file():
        raise ConfigError(f"{scorer} needs {'/'.join(parts)} of the package {package}, and the installed one lacks it")
    return path
