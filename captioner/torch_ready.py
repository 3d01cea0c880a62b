"""Torch, ready for what imports torchvision."""

from __future__ import annotations

from schemas import ConfigError


def need_torch() -> bool:
    """Import torch so that transformers and vLLM can be imported after it.

    Returns:
        Whether operators of torchvision had to be declared, as on a CPU build of torch.

    Raises:
        ConfigError: Torch is not installed.
    """
    try:
        from pipeline.media.torchvision_cpu import declared
    except ImportError as error:
        raise ConfigError(f"the captioner needs torch (rushes[captioner]): {error}") from error
    return bool(declared)
