"""Look for the watermark in frames of which nothing else is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainer.sampling.watermark.carrier import Carriers, Grids, carriers

MOST_CHANCE = 1e-6
"""That frames without the mark are taken for marked ones, at most."""
_GAINS = np.exp(np.linspace(-0.25, 0.25, 21))
"""Contrasts that are tried, relative to that of the marked frames: they set the steps."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What frames say of the watermark."""

    score: float
    """Deviations by which the patterns follow the key's signs, in the best of what was tried."""
    chance: float
    """Bound on the probability that frames without the mark reach the score, in [0, 1]."""
    num_frames: int
    """Frames that were looked at."""

    @property
    def is_found(self) -> bool:
        """Whether the mark is there."""
        return self.chance < MOST_CHANCE


def look_for_mark(views: Sequence[Grids], key: str, anchors: npt.NDArray[np.bool_] | None = None) -> Evidence:
    """Look for a key's mark.

    Each pattern votes for or against the key's sign by the sine of where its share lies in the step. Votes are summed
    with the signs: over all frames together, over those that a codec spends most on, and in each frame alone, for
    several contrasts.

    Whatever the frames show, signs that were drawn without regard to them give a sum of more than `t` times the root
    of the squared votes with a probability of at most `exp(-t ** 2 / 2)`; the chance is that, times the number of
    sums that were tried. Source: Hoeffding 1963, "Probability inequalities for sums of bounded random variables",
    theorem 2.

    Args:
        views: Ways of seeing the same frames, each float32 (F, GRID, GRID).
        key: Whose mark it is.
        anchors: Which frames the codec coded finely, those that others are not made between; bool (F,).
    """
    used = carriers(key)
    best, num_tried, num_frames = 0.0, 0, 0
    for view in views:
        shares = used.shares(view)
        num_frames = max(num_frames, len(shares))
        for gain in _GAINS:
            scores = _scores(shares * gain, used, anchors)
            num_tried += len(scores)
            best = max(best, float(scores.max(initial=0)))
    return Evidence(best, min(1.0, num_tried * math.exp(-best * best / 2)), num_frames)


def _scores(
    shares: npt.NDArray[np.float32], used: Carriers, anchors: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.float32]:
    """How far the votes follow the signs, in deviations: of each frame, of all, and of the anchors."""
    votes = np.sin(2 * np.pi / used.step * shares)
    together = [votes.mean(axis=0)]
    if anchors is not None and anchors.any():
        together.append(votes[anchors].mean(axis=0))
    votes = np.concatenate([votes, together])
    sizes = np.linalg.norm(votes, axis=1)
    return np.asarray(np.divide(votes @ used.signs, sizes, out=np.zeros_like(sizes), where=sizes > 1e-6))
