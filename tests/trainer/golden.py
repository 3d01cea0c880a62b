"""A run whose losses are known: printed by each number of ranks and stage of ZeRO as one line of JSON.

`torchrun --nproc-per-node 2 tests/trainer/golden.py 1 2 3`
"""

from __future__ import annotations

import json
import sys

import torch
from torch import nn

from trainer.config import EngineConfig, OptimizerConfig
from trainer.distributed import Ranks, ranks
from trainer.engine import Engine

LOSSES = (1.189609, 1.305437, 1.200710, 1.212337, 1.205689, 1.023088, 1.108739, 1.159660, 1.153818, 1.201029)


class Network(nn.Module):
    """Four layers of torch's own transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Linear(16, 64)
        layer = {"dropout": 0.0, "batch_first": True, "norm_first": True}
        self.blocks = nn.ModuleList(nn.TransformerEncoderLayer(64, 4, 128, **layer) for _ in range(4))  # type: ignore[arg-type]
        self.leave = nn.Linear(64, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.enter(x)
        for layer in self.blocks:
            x = layer(x)
        found: torch.Tensor = self.leave(x)
        return found


# Every weight has the same rate and decay, as in the run whose losses are known.
KNOWN = OptimizerConfig(learning_rate=1e-3, base_width=64, betas=(0.9, 0.999), weight_decay=0.01)


def losses(
    stage: int,
    joined: Ranks,
    precision: str = "fp32",
    steps: int = 10,
    num_batches: int = 1,
    config: OptimizerConfig = KNOWN,
) -> list[float]:
    torch.manual_seed(0)
    engine = Engine(
        Network(),
        EngineConfig(zero_stage=stage, precision=precision),  # type: ignore[arg-type]
        config,
        width=64,
        num_batches=num_batches,
        ranks=joined,
    )
    for group in engine._engine.optimizer.optimizer.param_groups:
        group["weight_decay"] = 0.01
    found = []
    for step in range(steps):
        draw = torch.Generator().manual_seed(1000 + step)
        x, y = torch.randn(4, 8, 16, generator=draw), torch.randn(4, 8, 16, generator=draw)
        each = 4 // (joined.count * num_batches)
        total = 0.0
        for batch in range(num_batches):
            start = (joined.rank * num_batches + batch) * each
            rows = slice(start, start + each)
            dtype = torch.bfloat16 if precision == "bf16" else torch.float32
            loss = (engine(x[rows].to(dtype)).float() - y[rows]).square().sum() / y.numel()
            total += loss.item()
            engine.backward(loss)
            if batch + 1 < num_batches:
                engine.next_batch()
        engine.step(1.0, 1.0)
        found.append(joined.sums(total)[0])
    return found


if __name__ == "__main__":
    with ranks() as joined:
        for stage in sys.argv[1:]:
            found = losses(int(stage), joined)
            if joined.is_first:
                print(json.dumps(found), flush=True)
