"""All of captioner training that is DeepSpeed: ranks, ZeRO, and states that can be saved."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from captioner.finetune.config import FinetuneConfig
from captioner.torch_ready import need_torch, quiet_imports
from schemas import ConfigError

_BETAS = (0.9, 0.98)
_ALONE = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1"}


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those that train together."""

    rank: int
    count: int
    device: str

    @property
    def is_first(self) -> bool:
        """Whether it is the one that writes what is written once."""
        return self.rank == 0


@contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """Join the ranks that `torchrun` or `deepspeed` has started, and leave them together; without them be the only one.

    Raises:
        ConfigError: DeepSpeed is not installed.
    """
    need_torch()
    try:
        with quiet_imports():
            import deepspeed
    except ImportError as error:
        raise ConfigError(f"training needs DeepSpeed: rushes[captioner] ({error})") from error
    from torch import cuda, distributed

    on_gpu = cuda.is_available()
    alone = {} if "RANK" in os.environ else {**_ALONE, "MASTER_PORT": str(_free_port())}
    os.environ.update(alone)
    # Its own shared-memory collectives need a compiler and half a minute; gloo does as well.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed("nccl" if on_gpu else "gloo", verbose=False)
    device = f"cuda:{os.environ['LOCAL_RANK']}" if on_gpu else "cpu"
    try:
        yield Ranks(distributed.get_rank(), distributed.get_world_size(), device)
        # A rank that is done first would abort the others.
        distributed.barrier()
    finally:
        # Not torch's own: DeepSpeed would remember groups that are no more.
        deepspeed.comm.destroy_process_group()
        for name in alone:
            os.environ.pop(name, None)


class Engine:
    """A model under DeepSpeed.

    Args:
        config: Rates, ZeRO's stage, and the number format.
        model: With the parameters that are to be trained marked.
        ranks: Which this is.
    """

    def __init__(self, config: FinetuneConfig, model: Any, ranks: Ranks) -> None:
        import deepspeed
        import torch

        trained = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
        decayed = [weight for _, weight in trained if weight.ndim >= 2]
        others = [weight for _, weight in trained if weight.ndim < 2]
        groups = [
            {"params": weights, "weight_decay": decay}
            for weights, decay in ((decayed, config.weight_decay), (others, 0.0))
            if weights
        ]
        adam = torch.optim.AdamW(groups, lr=config.learning_rate, betas=_BETAS)
        self._ranks = ranks
        self._max_gradient = config.max_gradient
        self._engine: Any
        # It imports its optimizers now.
        with quiet_imports():
            self._engine, self._optimizer, *_ = deepspeed.initialize(
                model=model,
                optimizer=adam,
                config={
                    "train_micro_batch_size_per_gpu": 1,
                    "gradient_accumulation_steps": 1,
                    "gradient_clipping": config.max_gradient,
                    "zero_optimization": {"stage": config.zero_stage},
                    "zero_allow_untested_optimizer": True,
                    "bf16": {"enabled": config.dtype == "bfloat16"},
                    "steps_per_print": 1 << 30,
                },
            )

    def update(self, batches: list[dict[str, Any]], rate: float) -> float:
        """One update from this rank's share of a step; the loss a token, over all ranks.

        Args:
            batches: Micro-batches with `labels`, as many as on every other rank.
            rate: The learning rate.
        """
        import torch

        from captioner.finetune.examples import answer_tokens, loss_sum

        own = torch.tensor(float(sum(answer_tokens(batch["labels"]) for batch in batches)))
        num_tokens = max(self._summed(own), 1.0)
        total = torch.zeros(())
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        for place, batch in enumerate(batches):
            inputs = {name: value.to(self._ranks.device) for name, value in batch.items()}
            labels = inputs.pop("labels")
            self._engine.set_gradient_accumulation_boundary(place == len(batches) - 1)
            loss = loss_sum(self._engine(**inputs, use_cache=False).logits, labels)
            total += loss.detach().cpu()
            # The engine averages over ranks equally; each token is to count the same.
            self._engine.backward(loss * (self._ranks.count / num_tokens))
            self._engine.step()
        return self._summed(total) / num_tokens

    def loss(self, batches: list[dict[str, Any]]) -> tuple[float, float]:
        """Sum of the loss and number of tokens, over all ranks, without learning."""
        import torch

        from captioner.finetune.examples import answer_tokens, loss_sum

        total, num_tokens = torch.zeros(()), torch.zeros(())
        self._engine.eval()
        with torch.no_grad():
            for batch in batches:
                inputs = {name: value.to(self._ranks.device) for name, value in batch.items()}
                labels = inputs.pop("labels")
                num_tokens += answer_tokens(labels)
                total += loss_sum(self._engine(**inputs, use_cache=False).logits, labels).cpu()
        self._engine.train()
        return self._summed(total), self._summed(num_tokens)

    @property
    def model(self) -> Any:
        """The model itself."""
        return self._engine.module

    def wait(self) -> None:
        """Until all ranks have come here."""
        import torch

        torch.distributed.barrier()

    def states(self) -> dict[str, Any]:
        """What this rank must save to go on: its share of the weights in float32 and of Adam's moments."""
        states: dict[str, Any] = {}
        for number, flat in enumerate(self._optimizer.single_partition_of_fp32_groups):
            states[f"weights.{number}"] = flat.detach().cpu()
            for name, value in self._optimizer.optimizer.state.get(flat, {}).items():
                states[f"{name}.{number}"] = value.detach().cpu().reshape(-1)
        return states

    def resume(self, states: dict[str, Any]) -> None:
        """Go on from what `states` gave.

        Raises:
            ConfigError: It is of another model or another number of ranks.
        """
        import torch

        flats = self._optimizer.single_partition_of_fp32_groups
        for number, flat in enumerate(flats):
            saved = states.get(f"weights.{number}")
            if saved is None or saved.shape != flat.shape:
                raise ConfigError("the checkpoint is of another model, or of another number of ranks")
            with torch.no_grad():
                flat.copy_(saved)
            state = {name: states[f"{name}.{number}"] for name in ("exp_avg", "exp_avg_sq", "step")}
            self._optimizer.optimizer.state[flat] = {
                "step": state["step"].reshape(()).clone(),
                "exp_avg": state["exp_avg"].to(flat.device).clone(),
                "exp_avg_sq": state["exp_avg_sq"].to(flat.device).clone(),
            }

    def weights(self) -> dict[str, Any]:
        """The weights that are trained, by name, as the model runs with them."""
        return trained_weights(self.model)

    def _summed(self, value: Any) -> float:
        """The sum over all ranks."""
        import torch

        value = value.to(self._ranks.device)
        torch.distributed.all_reduce(value)
        return float(value)


def trained_weights(model: Any) -> dict[str, Any]:
    """The weights of a model that can be trained, by name, on the CPU."""
    return {name: weight.detach().cpu() for name, weight in model.named_parameters() if weight.requires_grad}


def set_weights(model: Any, weights: dict[str, Any]) -> None:
    """Set what `trained_weights` gave.

    Raises:
        ConfigError: It is of another model.
    """
    import torch

    own = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    if {name: value.shape for name, value in weights.items()} != {name: value.shape for name, value in own.items()}:
        raise ConfigError("the checkpoint is of another model")
    with torch.no_grad():
        for name, value in weights.items():
            own[name].copy_(value)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
