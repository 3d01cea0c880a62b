"""All that is DeepSpeed: a model's gradients and updates, shared out among ranks by ZeRO."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from trainer.checkpoint import Pieces
from trainer.config import EngineConfig, OptimizerConfig
from trainer.distributed import Ranks
from trainer.optimizer import make_optimizer

_MOMENTUM = "momentum_buffer"
"""What Muon remembers."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """The part of one parameter that a rank keeps in fp32 and updates."""

    name: str
    """Of the parameter."""
    start: int
    """Where the part begins in the flattened parameter."""
    flat: torch.Tensor
    """ZeRO's own fp32 partition, in which it lies; optimizer states go by it."""
    offset: int
    """Where it begins in the partition."""
    length: int

    def of(self, like_flat: torch.Tensor) -> torch.Tensor:
        """The same part of a tensor that lies like the partition."""
        return like_flat.detach().view(-1).narrow(0, self.offset, self.length)


class Engine:
    """A model under DeepSpeed.

    Args:
        model: On the CPU, in fp32, the same on all ranks.
        config: ZeRO's stage, precision and so on.
        optimizer: Kind and rates.
        width: Channels of a token, by which rates go.
        num_batches: Batches a rank works on in each step.
        ranks: This process among all.
    """

    def __init__(
        self,
        model: nn.Module,
        config: EngineConfig,
        optimizer: OptimizerConfig,
        *,
        width: int,
        num_batches: int,
        ranks: Ranks,
    ) -> None:
        import deepspeed

        logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
        self._stage = config.zero_stage
        self._compiles_muon = optimizer.kind != "muon" or ranks.device.type != "cpu"
        self._scale = num_batches * ranks.count
        self._names = {parameter: name for name, parameter in model.named_parameters()}
        self.shapes = {name: tuple(p.shape) for name, p in model.named_parameters() if p.requires_grad}
        if config.compile:
            for block in model.blocks:  # type: ignore[union-attr]
                block.compile(dynamic=True)
        self._engine: Any = deepspeed.initialize(
            model=model,
            optimizer=make_optimizer(model, optimizer, width),
            config=deepspeed_config(config, optimizer, num_batches=num_batches, num_ranks=ranks.count),
            dist_init_required=False,
        )[0]

    @property
    def module(self) -> nn.Module:
        """The model; under ZeRO-3 its weights are there only while it runs."""
        module: nn.Module = self._engine.module
        return module

    def __call__(self, *inputs: object) -> torch.Tensor:
        """Run the model."""
        found: torch.Tensor = self._engine(*inputs)
        return found

    def backward(self, loss: torch.Tensor) -> None:
        """Add the gradients of a batch's share of the step's loss: over all batches of all ranks, shares add up to it.

        DeepSpeed averages over ranks and batches alike, which would weigh a batch of few tokens like one of many.
        """
        with self._plainly():
            self._engine.backward(loss * self._scale)

    def step(self, rate: float, max_norm: float) -> float:
        """Update the weights after the last batch of a step.

        Args:
            rate: Share of its highest rate that each group has.
            max_norm: To which the gradients are scaled down.

        Returns:
            The norm of all gradients before that; infinite or NaN where the update was left out because of it.
        """
        zero = self._engine.optimizer
        zero.clip_grad = max_norm
        for group in zero.optimizer.param_groups:
            group["lr"] = group["peak"] * rate
        with self._plainly():
            self._engine.step()
        norm = self._engine.get_global_grad_norm()
        return math.nan if norm is None else float(norm)

    def next_batch(self) -> None:
        """Tell DeepSpeed that a batch which is not the step's last is done."""
        self._engine.step()

    def _plainly(self) -> AbstractContextManager[object]:
        """DeepSpeed compiles Muon for every shape of matrix, which on a CPU takes minutes and gains nothing."""
        if self._compiles_muon:
            return nullcontext()
        stance: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
        return stance

    def optimizer_states(self) -> dict[torch.Tensor, dict[str, Any]]:
        """The optimizer's states by fp32 partition."""
        found: dict[torch.Tensor, dict[str, Any]] = self._engine.optimizer.optimizer.state
        return found

    def scalars(self, values: dict[str, float]) -> dict[str, Any]:
        """Optimizer states that are one number, as the optimizer holds them."""
        if isinstance(self._engine.optimizer.optimizer, torch.optim.AdamW):
            return {key: torch.tensor(value) for key, value in values.items()}
        return {key: int(value) for key, value in values.items()}

    def is_whole(self, kind: str) -> bool:
        """Whether a rank keeps this optimizer state for whole parameters, and not for its part of them alone."""
        return kind == _MOMENTUM and self._stage < 3

    def whole_states(self) -> Iterator[tuple[str, str, torch.Tensor, bool]]:
        """Such states: their kind, parameter and values, and whether it is this rank that saves them."""
        for flat, parameters in self._whole_groups():
            state = self.optimizer_states().get(flat, {})
            place = 0
            for parameter in parameters if _MOMENTUM in state else ():
                is_own = parameter._hp_mapping.lp_fragment_address.start == 0
                values = state[_MOMENTUM].narrow(0, place, parameter.numel())
                yield _MOMENTUM, self._names[parameter], values, is_own
                place += parameter.numel()

    def restore_whole(self, pieces: Pieces) -> None:
        """Take such states up.

        Raises:
            DamagedError: One is not there.
        """
        for flat, parameters in self._whole_groups():
            names = [(self._names[parameter], parameter.numel()) for parameter in parameters]
            if names:
                read = [pieces.read(_MOMENTUM, name, 0, length) for name, length in names]
                self.optimizer_states().setdefault(flat, {})[_MOMENTUM] = torch.cat(read).to(flat.device)

    def _whole_groups(self) -> Iterator[tuple[torch.Tensor, list[Any]]]:
        """Partitions whose momentum ZeRO 1 and 2 keep for whole parameters, and these in order."""
        zero = self._engine.optimizer
        if self._stage == 3:
            return
        for index, group in enumerate(zero.optimizer.param_groups):
            if group.get("use_muon"):
                yield zero.single_partition_of_fp32_groups[index], zero.params_in_partition[index]

    def partitions(self) -> list[torch.Tensor]:
        """ZeRO's fp32 partitions on this rank."""
        zero = self._engine.optimizer
        found = zero.fp32_partitioned_groups_flat if self._stage == 3 else zero.single_partition_of_fp32_groups
        return list(found)

    @contextmanager
    def showing(self, others: Mapping[torch.Tensor, torch.Tensor]) -> Iterator[None]:
        """Run with other values in the place of the weights, and take these up again, bit for bit.

        Args:
            others: By fp32 partition, as large; they are changed meanwhile.
        """
        self._exchange(others)
        try:
            yield
        finally:
            self._exchange(others)

    @torch.no_grad()
    def _exchange(self, others: Mapping[torch.Tensor, torch.Tensor]) -> None:
        """Swap the fp32 partitions with others, and let the weights that the model computes with follow."""
        for flat, other in others.items():
            kept = flat.detach().clone()
            flat.data.copy_(other)
            other.copy_(kept)
        zero = self._engine.optimizer
        if self._stage < 3:
            zero.update_lp_params()
            return
        for group in range(len(zero.fp32_partitioned_groups_flat)):
            zero._reassign_or_swap_out_partitioned_parameters(group)
        # Small weights are kept whole, and are put together anew from the parts.
        kept_whole = zero.persistent_parameters
        if kept_whole:
            kept_whole[0].partition(kept_whole)
            kept_whole[0].all_gather(kept_whole)

    def fragments(self) -> Iterator[Fragment]:
        """What this rank keeps, parameter by parameter; together the ranks keep every number once."""
        if self._stage == 3:
            yield from self._fragments_of_weights()
            return
        zero = self._engine.optimizer
        for flat, parameters in zip(zero.single_partition_of_fp32_groups, zero.bit16_groups, strict=True):
            for parameter in parameters:
                mapping = parameter._hp_mapping
                if mapping is not None:
                    inside, outside = mapping.lp_fragment_address, mapping.hp_fragment_address
                    yield Fragment(self._names[parameter], inside.start, flat, outside.start, outside.numel)

    def _fragments_of_weights(self) -> Iterator[Fragment]:
        """ZeRO-3 cuts every parameter into as many equal parts as there are ranks; the last ones may be empty."""
        zero = self._engine.optimizer
        rank = torch.distributed.get_rank()
        parameters: dict[Any, str] = dict(self._names)
        for parameter, name in parameters.items():
            if not parameter.requires_grad:
                continue
            group, offset, each = zero.grad_position[zero.get_param_id(parameter)]
            length = min(each, parameter.ds_numel - rank * each)
            if length > 0:
                yield Fragment(name, rank * each, zero.fp32_partitioned_groups_flat[group], offset, length)


def deepspeed_config(
    config: EngineConfig, optimizer: OptimizerConfig, *, num_batches: int, num_ranks: int
) -> dict[str, Any]:
    """DeepSpeed's own config."""
    zero: dict[str, Any] = {
        "stage": config.zero_stage,
        "reduce_bucket_size": int(config.bucket_mb * 1e6),
        "overlap_comm": torch.cuda.is_available(),
        "contiguous_gradients": True,
        # Muon needs whole gradients, which ZeRO-3 has in no one place otherwise.
        "reduce_scatter": optimizer.kind != "muon" or config.zero_stage < 3,
    }
    if config.zero_stage < 3:
        zero["allgather_bucket_size"] = int(config.bucket_mb * 1e6)
    return {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": num_batches,
        "train_batch_size": num_batches * num_ranks,
        # Any number but 0, so that it computes the norm; each step sets its own.
        "gradient_clipping": 1.0,
        "zero_optimization": zero,
        "zero_allow_untested_optimizer": True,
        "bf16": {"enabled": config.precision == "bf16"},
        "steps_per_print": 2**31,
    }
