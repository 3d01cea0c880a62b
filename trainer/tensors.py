"""Named tensors as bytes and back: the safetensors format, checked before anything is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from schemas import ConfigError

if TYPE_CHECKING:
    import torch


def tensor_bytes(tensors: Mapping[str, torch.Tensor]) -> bytes:
    """The safetensors file of some tensors: the same bytes for the same tensors."""
    from safetensors.torch import save

    return save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})


def read_tensor_bytes(data: bytes, name: str) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file, on the CPU; nothing in it is run.

    Args:
        data: The file.
        name: What messages call it.

    Raises:
        ConfigError: It is no such file, or holds values that are not finite.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ConfigError(f"{name}: is no safetensors file: {(str(error).splitlines() or [''])[0]}") from error
    for entry, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise ConfigError(f"{name}: {entry} holds values that are not finite")
    return tensors
