"""What a rank keeps of weights and optimizer, as pieces of a checkpoint and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from trainer.checkpoint import MEAN, WEIGHT, Piece, Pieces
from trainer.ema import Ema
from trainer.engine import Engine


def pieces_of(engine: Engine, ema: Ema | None) -> Iterator[Piece]:
    """Everything that the next step depends on and that lies on this rank."""
    states = engine.optimizer_states()
    for fragment in engine.fragments():
        yield Piece(WEIGHT, fragment.name, fragment.start, fragment.of(fragment.flat))
        if ema is not None:
            yield Piece(MEAN, fragment.name, fragment.start, ema.of(fragment))
        for key, value in states.get(fragment.flat, {}).items():
            if _lies_like(value, fragment.flat) and not engine.is_whole(key):
                yield Piece(key, fragment.name, fragment.start, fragment.of(value))
    for key, name, values, is_own in engine.whole_states():
        if is_own:
            yield Piece(key, name, 0, values.reshape(-1))


def scalars_of(engine: Engine) -> dict[str, float]:
    """Optimizer states that are one number, the same for all weights: how many updates there were."""
    found: dict[str, float] = {}
    for state in engine.optimizer_states().values():
        for key, value in state.items():
            if not isinstance(value, torch.Tensor) or not value.ndim:
                assert found.setdefault(key, float(value)) == float(value)
    return found


def restore(engine: Engine, ema: Ema | None, pieces: Pieces, scalars: dict[str, float]) -> None:
    """Take up a checkpoint; the model's own weights have been loaded before DeepSpeed took it over.

    Raises:
        DamagedError: It lacks something.
    """
    states = engine.optimizer_states()
    kinds = [kind for kind in pieces.kinds() if kind not in (WEIGHT, MEAN) and not engine.is_whole(kind)]
    with torch.no_grad():
        for fragment in engine.fragments():
            place = fragment.name, fragment.start, fragment.length
            fragment.of(fragment.flat).copy_(pieces.read(WEIGHT, *place))
            if ema is not None:
                ema.of(fragment).copy_(pieces.read(MEAN, *place))
            state = states.setdefault(fragment.flat, {})
            for kind in kinds:
                if pieces.has(kind, fragment.name):
                    flat = state.setdefault(kind, torch.zeros_like(fragment.flat))
                    fragment.of(flat).copy_(pieces.read(kind, *place))
            if "exp_avg" in state:
                state.update(engine.scalars(scalars))
        engine.restore_whole(pieces)


def _lies_like(value: Any, flat: torch.Tensor) -> bool:
    return isinstance(value, torch.Tensor) and value.shape == flat.shape
