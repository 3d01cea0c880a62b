"""Read tensors from files that anyone may have made: nothing in them is run, and what they hold is checked."""

from __future__ import annotations

import os
import pickle
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from schemas import ConfigError

if TYPE_CHECKING:
    import torch

TENSOR_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth")
"""What is read with `safetensors` (the first) or with `torch.load(weights_only=True)`."""
_UNREADABLE = (
    *(pickle.UnpicklingError, zipfile.BadZipFile, struct.error, EOFError, RuntimeError, ValueError, LookupError),
    *(AttributeError, TypeError, OverflowError, ImportError, MemoryError, AssertionError),
)
"""What torch's reader of pickles raises for bytes that are none of its own, or that ask for code."""


def check_file(path: Path, what: str) -> None:
    """Refuse a path at which there is no file that can be read.

    Args:
        path: Where it should be.
        what: The config key that named it.

    Raises:
        ConfigError: There is none.
    """
    if not path.is_file():
        raise ConfigError(f"{what}: there is no file {path}")
    if not os.access(path, os.R_OK):
        raise ConfigError(f"{what}: {path} cannot be read: Permission denied")


def check_tensors(path: Path, what: str) -> None:
    """Refuse at once what can be told from a safetensors file's header: that it is none, or cut off.

    torch is not imported for it, so that a plan stays fast. Pickles are looked at when they are read.

    Raises:
        ConfigError: It is not there, or as said.
    """
    from safetensors import SafetensorError, safe_open

    check_file(path, what)
    if path.suffix != ".safetensors":
        return
    try:
        with safe_open(path, "np") as file:
            file.keys()
    except (SafetensorError, OSError) as error:
        raise ConfigError(f"{what}: {path} is not a safetensors file: {_first_line(error)}") from error


def read_tensors(path: Path, what: str) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint by name, on the CPU, each finite.

    A checkpoint of a training loop may hold them under `state_dict`, and each may begin with `module.`.

    Args:
        path: A file with one of `TENSOR_SUFFIXES`.
        what: The config key that named it.

    Raises:
        ConfigError: It is not there, holds no tensors, asks for code to be run, or has values that are not finite.
    """
    check_file(path, what)
    if path.suffix not in TENSOR_SUFFIXES:
        raise ConfigError(f"{what}: {path} must end in one of {', '.join(TENSOR_SUFFIXES)}")
    held = _read_safetensors(path, what) if path.suffix == ".safetensors" else _read_pickled(path, what)
    if isinstance(held, Mapping) and isinstance(held.get("state_dict"), Mapping):
        held = held["state_dict"]
    tensors = _named(held)
    if not tensors:
        raise ConfigError(f"{what}: {path} is not a checkpoint: it holds no named tensors")
    if all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise ConfigError(f"{what}: {path} is damaged: {name} holds values that are not finite")
    return tensors


def _read_safetensors(path: Path, what: str) -> object:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ConfigError(f"{what}: {path} is not a safetensors file: {_first_line(error)}") from error


def _read_pickled(path: Path, what: str) -> object:
    import torch

    try:
        with warnings.catch_warnings():
            # It doubts files that it then refuses.
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise ConfigError(
            f"{what}: {path} is not a checkpoint of tensors alone, and nothing else is read from a pickle; "
            "save it as .safetensors"
        ) from error


def _named(held: object) -> dict[str, torch.Tensor]:
    """The tensors of a mapping from names; none where it is anything else."""
    import torch

    if not isinstance(held, Mapping):
        return {}
    if not all(isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in held.items()):
        return {}
    return dict(held)


def read_matrix(path: Path, what: str) -> npt.NDArray[np.float32]:
    """One finite matrix, (N, width): an `.npy` file, or a safetensors file that holds one tensor.

    Raises:
        ConfigError: It is not there, or is not that.
    """
    if path.suffix == ".npy":
        check_file(path, what)
        try:
            matrix = np.load(path, allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise ConfigError(f"{what}: {path} is not an .npy file of numbers: {_first_line(error)}") from error
    elif path.suffix == ".safetensors":
        tensors = read_tensors(path, what)
        if len(tensors) != 1:
            raise ConfigError(f"{what}: {path} must hold one tensor, it has {len(tensors)}")
        matrix = next(iter(tensors.values())).float().numpy()
    else:
        raise ConfigError(f"{what}: {path} must end in .npy or .safetensors")
    if matrix.ndim != 2 or matrix.dtype.kind not in "fiu" or not matrix.size:
        raise ConfigError(f"{what}: {path} must hold rows of numbers, it has {matrix.dtype} of shape {matrix.shape}")
    numbers = np.asarray(matrix, np.float32)
    if not np.isfinite(numbers).all():
        raise ConfigError(f"{what}: {path} holds values that are not finite")
    return numbers


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def read_metadata(path: Path) -> dict[str, str]:
    """What a safetensors file that has been read says of itself."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return dict(file.metadata() or {})


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file whole, or leave what was there.

    Raises:
        ConfigError: It cannot be written.
    """
    from safetensors.torch import save

    scratch = path.with_name(f"{path.name}.tmp")
    data = save({name: tensor.contiguous() for name, tensor in tensors.items()}, dict(metadata or {}))
    try:
        scratch.write_bytes(data)
        scratch.replace(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror or error}") from error
