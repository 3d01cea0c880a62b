from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

torch = pytest.importorskip("torch")
if find_spec("torchvision") is None:
    pytest.skip("torchvision is not installed", allow_module_level=True)


def run(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def test_torchvision_imports_and_works_after_it() -> None:
    done = run(
        "import pipeline.media.torchvision_cpu as shim\n"
        "import torch, torchvision\n"
        "from torchvision.transforms.v2.functional import resize\n"
        "small = resize(torch.ones(3, 8, 8), [4, 4])\n"
        "assert small.shape == (3, 4, 4) and small.mean() == 1\n"
        "assert hasattr(torch.ops.torchvision, 'nms')\n"
        "assert shim.declare_missing_operators() == (), 'a second time it must do nothing'\n"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(torch.version.cuda is not None, reason="for CPU builds of torch")
def test_it_declares_operators_only_where_torchvision_alone_cannot_be_imported() -> None:
    alone = run("import torchvision")
    declared = run("from pipeline.media import torchvision_cpu; print(torchvision_cpu.declared)")
    assert declared.returncode == 0, declared.stderr
    assert (declared.stdout.strip() == "()") == (alone.returncode == 0), alone.stderr


def one_by_one(boxes: list[list[float]], scores: list[float], threshold: float) -> list[int]:
    """Non-maximum suppression as it is told in words, without any library."""
    kept: list[int] = []
    for k in sorted(range(len(boxes)), key=lambda k: -scores[k]):
        if all(overlap(boxes[k], boxes[other]) <= threshold for other in kept):
            kept.append(k)
    return kept


def overlap(a: list[float], b: list[float]) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / both


@pytest.mark.parametrize("seed", range(20))
def test_suppression_keeps_what_the_definition_keeps(seed: int) -> None:
    from pipeline.media.torchvision_cpu import non_maximum_suppression

    generator = torch.Generator().manual_seed(seed)
    # Whole numbers, so that many boxes are equal, and no rounding decides which overlap is the larger.
    corners = torch.randint(0, 20, (60, 2), generator=generator)
    boxes = torch.cat([corners, corners + torch.randint(1, 12, (60, 2), generator=generator)], dim=1).double()
    scores = torch.randint(0, 30, (60,), generator=generator).double()
    for threshold in (0.0, 0.3, 0.45, 0.7):
        kept = non_maximum_suppression(boxes, scores, threshold).tolist()
        assert kept == one_by_one(boxes.tolist(), scores.tolist(), threshold)
    assert non_maximum_suppression(boxes[:0], scores[:0], 0.5).tolist() == []


def test_torch_finds_the_suppression_under_torchvisions_name() -> None:
    done = run(
        "import pipeline.media.torchvision_cpu\n"
        "import torch\n"
        "boxes = torch.tensor([[0., 0, 10, 10], [1, 1, 10, 10], [20, 0, 30, 10]])\n"
        "kept = torch.ops.torchvision.nms(boxes, torch.tensor([.5, .9, .4]), 0.5)\n"
        "assert kept.tolist() == [1, 2], kept\n"
    )
    assert done.returncode == 0, done.stderr
