"""Make PyPI's torchvision importable beside a CPU build of torch.

Import this module before anything that imports torchvision. The public index has torchvision for CUDA
only. Its extension library cannot be loaded into a CPU build of torch, so its operators never come into
being, and two of them are looked up while torchvision is imported (`operator torchvision::nms does not
exist`). Declared here they are enough for transforms and models. Non-maximum suppression is done in plain torch,
as `torch.ops.torchvision.nms`; what is in `torchvision.ops` still refuses to run without the library. The quantised
`qnms` is declared alone: calling it fails.
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
    if "nms" in missing:
        torch.library.impl("torchvision::nms", "CPU")(non_maximum_suppression)
    return missing


def non_maximum_suppression(dets: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """Keep the best of boxes that overlap: each box, from the best score down, unless a kept one overlaps it too much.

    Args:
        dets: float (N, 4): left, top, right, bottom.
        scores: float (N,).
        iou_threshold: A box goes if its area in common with a kept one, over that of both together, is above this.

    Returns:
        int64 (K,): which are kept, the best first; of equal scores the first.
    """
    order = torch.argsort(scores, descending=True, stable=True)
    boxes = dets[order]
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
    stays = torch.ones(len(boxes), dtype=torch.bool, device=boxes.device)
    for k in range(len(boxes)):
        if not stays[k]:
            continue
        rest = boxes[k + 1 :]
        sides = torch.minimum(boxes[k, 2:], rest[:, 2:]) - torch.maximum(boxes[k, :2], rest[:, :2])
        common = sides.clamp(min=0).prod(dim=1)
        stays[k + 1 :] &= ~(common / (areas[k] + areas[k + 1 :] - common) > iou_threshold)
    return order[stays]


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


declared = declare_missing_operators()
"""The operators that had to be declared in this process."""
