"""Strict configs: a typed model for each component, one loader, one sentence for each mistake."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.errors import ConfigError
from schemas.ids import digest


class Config(BaseModel):
    """The base of every config: unknown keys are refused and nothing changes after loading.

    A field that cannot change what comes out (a batch size, an address, a number of workers) is declared with
    `json_schema_extra={"affects_output": False}`, so that changing it makes no work stale.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    def output_digest(self) -> str:
        """A digest of the values that can change what comes out."""
        return digest(_output_values(self))


def _output_values(config: Config) -> dict[str, Any]:
    values: dict[str, Any] = {}
    plain = config.model_dump(mode="json")
    for name, field in type(config).model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and extra.get("affects_output") is False:
            continue
        value = getattr(config, name)
        values[name] = _output_values(value) if isinstance(value, Config) else plain[name]
    return values


C = TypeVar("C", bound=Config)


def load_config(model: type[C], path: Path | None, overrides: Sequence[str] = ()) -> C:
    """Read a YAML file, apply `key.path=value` overrides, and check everything against the model.

    Args:
        model: What the file must hold.
        path: A YAML file, or None to start from the model's defaults.
        overrides: `key.path=value` each, the value in YAML's notation.

    Raises:
        ConfigError: The file cannot be read, or a key or value in it is wrong.
    """
    values = {} if path is None else _read_yaml(path)
    for override in overrides:
        _apply(values, override)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{_origin(path, overrides, error)}: {_explain(model, error)}") from error


def _origin(path: Path | None, overrides: Sequence[str], error: ValidationError) -> str:
    """Where the first wrong value was written."""
    dotted = ".".join(str(part) for part in error.errors(include_url=False)[0]["loc"])
    keys = [override.partition("=")[0] for override in overrides]
    if path is None or any(dotted == key or dotted.startswith(f"{key}.") for key in keys):
        return "command line"
    return str(path)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise ConfigError(f"{path}: {where}is not YAML: {getattr(error, 'problem', error)}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: must hold keys and values, got {type(values).__name__}")
    return values


def _apply(values: dict[str, Any], override: str) -> None:
    key, sign, text = override.partition("=")
    if not sign or not key.strip("."):
        raise ConfigError(f"command line: expected key.path=value, got {override!r}")
    *path, last = key.split(".")
    node = values
    for name in path:
        child = node.setdefault(name, {})
        if not isinstance(child, dict):
            raise ConfigError(f"command line: {override!r}: {name} is a value and holds no keys")
        node = child
    try:
        node[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"command line: {override!r}: the value is not YAML") from error


def _explain(model: type[Config], error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"]]
    dotted = ".".join(path)
    if first["type"] == "extra_forbidden":
        owner, known = _keys_at(model, path[:-1])
        near = difflib.get_close_matches(path[-1], known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(sorted(known))}"
        return f"{owner} has no {path[-1]!r}{hint}"
    if first["type"] == "missing":
        return f"{dotted} is missing"
    message = first["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if not dotted:
        return message
    shown = "" if isinstance(first["input"], dict) else f", got {first['input']!r}"
    return f"{dotted}: {message}{shown}"


def _keys_at(model: type[Config], path: Sequence[str]) -> tuple[str, list[str]]:
    """The name and the keys of the config at a dotted path."""
    for name in path:
        field = model.model_fields.get(name)
        annotation = field.annotation if field else None
        if isinstance(annotation, type) and issubclass(annotation, Config):
            model = annotation
    return ".".join(path) or "the config", list(model.model_fields)
