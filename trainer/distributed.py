"""The ranks of a run: started by torchrun, by deepspeed, or not at all."""

from __future__ import annotations

import json
import os
import socket
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among all of a run."""

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether it is the one that writes what all share."""
        return self.rank == 0

    def sums(self, *values: float) -> list[float]:
        """Each value added up over all ranks, in float64."""
        return self._reduced(values, torch.distributed.ReduceOp.SUM)

    def most(self, *values: float) -> list[float]:
        """The largest of each value over all ranks."""
        return self._reduced(values, torch.distributed.ReduceOp.MAX)

    def gather(self, value: Any) -> list[Any]:
        """The values of all ranks, in their order, as JSON brings them: tuples come back as lists.

        Torch has the same for any object, but it reads pickles, and whoever reaches a rank's port could send one.
        """
        own = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        lengths = [int(length) for length in self._gathered(torch.tensor([len(own)]))]
        filled = nn.functional.pad(own, (0, max(lengths) - len(own)))
        texts = zip(self._gathered(filled), lengths, strict=True)
        return [json.loads(bytes(text[:length].tolist())) for text, length in texts]

    def _gathered(self, values: torch.Tensor) -> list[torch.Tensor]:
        """A tensor of each rank, all of one size."""
        own = values.to(self.device)
        found = [torch.empty_like(own) for _ in range(self.count)]
        torch.distributed.all_gather(found, own)
        return found

    def wait(self) -> None:
        """Until all ranks are here."""
        torch.distributed.barrier()

    def _reduced(self, values: tuple[float, ...], how: torch.distributed.ReduceOp.RedOpType) -> list[float]:
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(tensor, how)
        return tensor.tolist()


def rank_of_environment() -> tuple[int, int]:
    """This rank and the number of ranks, as a launcher has told them; (0, 1) without one."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def ranks() -> Iterator[Ranks]:
    """Join the ranks of this run, and leave them together.

    Inside of another `ranks`, and where a launcher as Ray Train has joined them, it just says who is there.
    """
    on_cuda = torch.cuda.is_available()
    is_joined = torch.distributed.is_initialized()
    alone = {
        "RANK": "0",
        "WORLD_SIZE": "1",
        "LOCAL_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        # Said outright, DeepSpeed need not look around and warn of what it finds.
        "DS_ACCELERATOR": "cuda" if on_cuda else "cpu",
    }
    with _environment(alone), warnings.catch_warnings():
        # What DeepSpeed calls of torch's is on its way out, and nothing that we or a user could mend.
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        deepspeed = _deepspeed()
        if is_joined:
            if not deepspeed.comm.is_initialized():
                deepspeed.init_distributed(auto_mpi_discovery=False, verbose=False)
            yield _here(on_cuda)
            return
        if on_cuda:
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        deepspeed.init_distributed("nccl" if on_cuda else "gloo", auto_mpi_discovery=False, verbose=False)
        joined = _here(on_cuda)
        try:
            yield joined
            # Without it a rank that is done first aborts the others.
            joined.wait()
        finally:
            deepspeed.comm.destroy_process_group()


def _deepspeed() -> Any:
    import deepspeed

    # It would compile an extension for half a minute the first time, and abort where there is no compiler.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    return deepspeed


def _here(on_cuda: bool) -> Ranks:
    rank, count = rank_of_environment()
    device = torch.device("cuda", torch.cuda.current_device()) if on_cuda else torch.device("cpu")
    return Ranks(rank, count, device)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Variables that are set where nobody has set them, and taken away again."""
    added = [name for name in values if name not in os.environ]
    os.environ.update({name: values[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
