"""Torch, ready for what imports torchvision."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from schemas import ConfigError

_OF_THEIRS = (
    (DeprecationWarning, r"`torch\.jit\.script_method` is deprecated"),
    (FutureWarning, r"`torch\.distributed\.reduce_op` is deprecated"),
)
"""What torch says of torch, and of vLLM, when they are imported: nothing that anybody here could mend."""


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


def need_transformers() -> None:
    """The same, and keep transformers from drawing bars of its own.

    Raises:
        ConfigError: Torch or transformers is not installed.
    """
    need_torch()
    try:
        from transformers.utils import logging
    except ImportError as error:
        raise ConfigError(f"the captioner needs transformers (rushes[captioner]): {error}") from error
    draw_none: Any = logging.disable_progress_bar
    draw_none()


@contextmanager
def quiet_imports() -> Iterator[None]:
    """Keep back what libraries say of each other while they are imported."""
    with warnings.catch_warnings():
        for category, message in _OF_THEIRS:
            warnings.filterwarnings("ignore", message, category)
        yield
