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
    declared = run(
        "from pipeline.media import torchvision_cpu; import torch; "
        "print(torch._C._dispatch_has_kernel_for_dispatch_key('torchvision::nms', 'CPU'))"
    )
    assert declared.returncode == 0, declared.stderr
    has_real_kernel = declared.stdout.split()[-1] == "True"
    assert has_real_kernel == (alone.returncode == 0), alone.stderr
