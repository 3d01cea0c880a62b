"""Proof that captions sit on their own clips: shuffled among clips they must fit worse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

_MIN_CLIPS = 8
"""With fewer, chance alone gives every shuffle too often: 7 clips can be shuffled in few thousand ways, 4 in 24."""
_MAX_P = 0.01
_PIECE = 1 << 24
"""Numbers that are drawn at a time."""


@dataclass(frozen=True, slots=True)
class Integrity:
    """What the permutation test says."""

    verdict: Literal["aligned", "not aligned", "cannot tell"]
    """`cannot tell` where there are too few clips, or nothing to tell them apart by."""
    num_clips: int
    own: float | None
    """Mean score of captions with their own clips."""
    shuffled: float | None
    """Mean score of captions with the clips of others."""
    p_value: float | None
    """Share of shuffles that fit at least as well, the true one counted among them."""
    why: str

    @property
    def difference(self) -> float | None:
        """How much better captions fit their own clips than those of others, in the scores' unit."""
        return None if self.own is None or self.shuffled is None else self.own - self.shuffled


def permutation_test(
    scores: npt.ArrayLike, *, seed: int = 0, num_permutations: int = 9999, max_p: float = _MAX_P
) -> Integrity:
    """Whether captions fit their own clips better than if they were dealt out at random.

    Args:
        scores: Float (N, N): how well the caption of row i fits the clip of column j, higher is better; its diagonal is
            captions with their own clips. For many clips give a part of them, drawn at random.
        seed: Of the shuffles.
        num_permutations: How many shuffles.
        max_p: The verdict is `aligned` at a p-value of at most this.

    Source: Phipson and Smyth 2010, equation 2: a p-value of permutations counts the data themselves, so that it is
    never 0.

    Raises:
        ValueError: The scores are not square or not finite, or so few shuffles could never pass.
    """
    matrix = np.asarray(scores, np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"scores are (N, N), got {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError("scores are finite numbers")
    if (num_permutations + 1) * max_p < 1:
        raise ValueError(f"{num_permutations=} cannot give a p-value of {max_p=}")
    count = len(matrix)
    if count < _MIN_CLIPS:
        why = f"{count} clips are too few, at least {_MIN_CLIPS} are needed"
        return Integrity("cannot tell", count, None, None, None, why)
    own = float(np.diagonal(matrix).mean())
    shuffled = float((matrix.sum() - np.trace(matrix)) / (count * (count - 1)))
    # What a row or a column has in common does not depend on who is dealt to whom.
    centred = matrix - matrix.mean(axis=0) - matrix.mean(axis=1, keepdims=True) + matrix.mean()
    if np.abs(centred).max() <= 1e-9 * max(1.0, np.abs(matrix).max()):
        why = "every caption fits every clip equally well"
        return Integrity("cannot tell", count, own, shuffled, None, why)
    reached = _num_reached(centred, num_permutations, np.random.default_rng(seed))
    p_value = (1 + reached) / (1 + num_permutations)
    verdict: Literal["aligned", "not aligned"] = "aligned" if p_value <= max_p else "not aligned"
    better = own - shuffled
    why = f"captions fit their own clips better by {better:.4g} than those of others (p = {p_value:.2g}, {count} clips)"
    return Integrity(verdict, count, own, shuffled, p_value, why)


def _num_reached(matrix: npt.NDArray[np.float64], num_permutations: int, rng: np.random.Generator) -> int:
    """How many shuffles of the columns have at least the sum of the diagonal."""
    count = len(matrix)
    rows = np.arange(count)
    # Sums of the same numbers in another order differ by a hair.
    least = np.trace(matrix) - 1e-9 * np.abs(matrix).max() * count
    reached = 0
    at_once = max(1, _PIECE // count)
    for start in range(0, num_permutations, at_once):
        size = min(at_once, num_permutations - start)
        dealt = rng.permuted(np.broadcast_to(rows, (size, count)), axis=1)
        reached += int((matrix[rows, dealt].sum(axis=1) >= least).sum())
    return reached
