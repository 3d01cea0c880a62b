"""Causal convolutions that go on where they stopped, so that a clip can be encoded in pieces of time.

A causal convolution over time sees the frames before, and repeats the first one where there are none. Kept from one
piece to the next, the last frames that it saw make the pieces' results those of the whole clip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def carried(network: torch.nn.Module, class_name: str) -> Iterator[None]:
    """Have the causal convolutions of a network go on from one call to the next, until the end of the block.

    Args:
        network: Everything else in it sees each frame alone.
        class_name: Of the convolutions: modules with `conv` (a `Conv3d` without padding in time) and `kernel_size`.
    """
    found = [module for module in network.modules() if type(module).__name__ == class_name]
    assert found, f"{type(network).__name__} has no {class_name}"
    try:
        for module in found:
            # An attribute of the instance hides the method of its class, and goes without a trace.
            module.forward = _going_on(module)
        yield
    finally:
        for module in found:
            module.__dict__.pop("forward", None)


def _going_on(module: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    size, stride = module.kernel_size[0], module.conv.stride[0]
    kept: list[torch.Tensor] = []

    def forward(x: torch.Tensor) -> torch.Tensor:
        before = kept.pop() if kept else x[:, :, :1].expand(-1, -1, size - 1, -1, -1)
        x = torch.cat([before, x], dim=2)
        kept.append(x[:, :, x.shape[2] - (size - stride) :].clone())
        return module.conv(x)  # type: ignore[no-any-return]

    return forward
