"""Make PyPI's torchvision importable beside a CPU build of torch.

Import this module before anything that imports torchvision. The public index has torchvision for CUDA
only. Its extension library cannot be loaded into a CPU build of torch, so its operators never come into
being, and two of them are looked up while torchvision is imported (`operator torchvision::nms does not
exist`). Declared without an implementation they are enough for transforms and models; calling them (non-
maximum suppression) fails.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

_OPERATORS = ("nms", "qnms")
_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def declare_missing_operators() -> tuple[str, ...]:
    """Declare what torchvision looks up at import, where its own library cannot provide it.

    Does nothing on a CUDA or ROCm build of torch, where a library that does not load is a broken installation
    and must be seen; nor where the real operators exist; nor the second time.

    Returns:
        The operators declared now.
    """
    if torch.version.cuda is not None or torch.version.hip is not None or _load_real_operators():
        return ()
    missing = tuple(name for name in _OPERATORS if not hasattr(torch.ops.torchvision, name))
    for name in missing:
        torch.library.define(f"torchvision::{name}", _SCHEMA)
    return missing


def _load_real_operators() -> bool:
    """Load torchvision's extension as torchvision itself will; loading it twice is harmless."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return False
    for library in Path(spec.origin).parent.glob("_C.*"):
        try:
            torch.ops.load_library(str(library))  # type: ignore[no-untyped-call]
        except OSError:
            # It wants the libraries of another build of torch: the case this module is for.
            return False
        return True
    return False


declare_missing_operators()
