"""What memory a rank of a training will need, by formula: good to about a quarter."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from trainer.config import TrainConfig

_SELF = 25.0
"""Numbers that a block keeps for its gradients, for each token and channel: norms, their modulation, attention within
the sample, both residuals. Measured by counting what autograd keeps of a block in fp32."""
_CROSS = 7.0
"""More of them where text has an attention of its own."""
_CROSS_TEXT = 4.0
"""For each text token there."""
_MLP = 2.0
"""For each hidden channel over the width, before and after the GELU."""
_FP32 = 4


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of one rank."""

    weights: float
    gradients: float
    optimizer: float
    """fp32 masters and two moments; one of Muon."""
    mean: float
    """The running mean of the weights."""
    activations: float
    """Of the largest pack, what is kept for its gradients."""

    @property
    def total(self) -> float:
        """All of it; communication buffers and fragmentation come on top."""
        return float(sum(asdict(self).values()))


def expected_memory(
    config: TrainConfig, *, num_parameters: int, num_ranks: int, tokens: int, text_tokens: int
) -> Memory:
    """Estimate it.

    Args:
        config: The run's.
        num_parameters: Of the model.
        num_ranks: Over which ZeRO shares.
        tokens: Video tokens of the largest pack.
        text_tokens: Its text tokens.
    """
    stage, count = config.engine.zero_stage, float(num_parameters)
    each = 2 if config.engine.precision == "bf16" else _FP32
    shared = count / num_ranks
    has_masters = config.engine.precision == "bf16"
    return Memory(
        weights=each * (shared if stage == 3 else count),
        gradients=each * (shared if stage >= 2 else count),
        optimizer=_FP32 * shared * (2 + has_masters),
        mean=_FP32 * shared * (config.ema_decay > 0),
        activations=each * _kept_numbers(config, tokens, text_tokens),
    )


def _kept_numbers(config: TrainConfig, tokens: int, text_tokens: int) -> float:
    model = config.model
    size = model.dimensions()
    if model.text == "joint":
        length, block = tokens + text_tokens, (_SELF + _MLP * model.mlp_ratio) * (tokens + text_tokens)
    else:
        length = tokens
        block = (_SELF + _CROSS + _MLP * model.mlp_ratio) * tokens + _CROSS_TEXT * text_tokens
    if config.engine.checkpointing:
        return size.width * (size.depth * length + block)
    return size.width * size.depth * block
