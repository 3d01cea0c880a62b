"""Hard cuts: a change far out of line with its neighbours, between unlike pictures, and not undone after."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.shots.event import Event
from pipeline.shots.motion import MOST_KEPT, kept_share, unlikeness
from pipeline.shots.signals import Floats, Signals, Thumbs
from schemas.clip import Transition

LEAST_CHANGE = 1.0
"""Levels: smaller changes are noise or compression, whatever their neighbours do."""
STANDS_OUT = 1.9
"""How many times the change of its neighbours a cut must have."""
LEAST_UNLIKENESS = 0.2
"""Beyond motion and light, in standard deviations, see `unlikeness`."""
COLOR_AS_UNLIKENESS = 1.0 / 100.0
"""Unlikeness for each level by which mean Cb, Cr differ: plain cards that differ in colour only."""
OUTGROWS_MOTION = 1.35
"""How many times more unlike than frames `MOTION_S` apart within the quieter shot beside it."""
MOTION_S = 0.12
NEAR_FRAMES = 3
STEPPING_S = 0.35
STEPPING_UNLIKENESS = 0.2
"""Slow motion from few pictures moves in steps: among equal jumps on both sides a cut must be so much more
unlike."""
FLASH_S = (0.04, 0.12, 0.25)
"""After so many seconds a flash, a strobe or a thing before the lens is over and the picture is back."""


def find_hard_cuts(thumbs: Thumbs, signals: Signals) -> list[Event]:
    """Every jump that may be a cut; those with a score of 0.5 and more are."""
    jumps, ratio = _jumps(signals)
    if not len(jumps):
        return []
    margin = np.minimum(ratio / STANDS_OUT, _content_margin(thumbs, signals, jumps))
    scores = margin / (1 + margin)
    return [
        Event(int(frame), int(frame), Transition.cut, float(score)) for frame, score in zip(jumps, scores, strict=True)
    ]


def _jumps(signals: Signals) -> tuple[npt.NDArray[np.intp], Floats]:
    """Frames whose change stands out from the frames around, and by how much."""
    change = signals.change
    num = len(change)
    padded = np.pad(change, NEAR_FRAMES)
    around = np.stack([padded[k : k + num] for k in range(2 * NEAR_FRAMES + 1) if k != NEAR_FRAMES])
    before, after = around[:NEAR_FRAMES].max(axis=0), around[NEAR_FRAMES:].max(axis=0)
    # A neighbouring cut raises one side only, so the quieter side is the measure, yet a peak must be the
    # highest.
    line = 0.5 * (np.minimum(before, after) + np.median(around, axis=0))
    ratio = change / np.maximum(line, 0.3)
    highest = (change >= around[NEAR_FRAMES - 1]) & (change > around[NEAR_FRAMES])
    jumps = np.flatnonzero((change >= LEAST_CHANGE) & (ratio >= STANDS_OUT * 0.75) & highest)
    return jumps, ratio[jumps]


def _content_margin(thumbs: Thumbs, signals: Signals, jumps: npt.NDArray[np.intp]) -> Floats:
    """How far the pictures on both sides of each jump exceed what one shot allows, 1 at the limit."""
    unlike = _compare(thumbs, signals, jumps - 1, jumps)
    doubtful = np.flatnonzero(unlike >= LEAST_UNLIKENESS * 0.6)
    margin: Floats = unlike / LEAST_UNLIKENESS
    at = jumps[doubtful]
    if len(at):
        lags = sorted({signals.frames_in(seconds) for seconds in FLASH_S})
        lag = signals.frames_in(MOTION_S, at_least=2)
        befores = [at - 1] * len(lags) + [at - 1 - lag for lag in lags] + [at - 1 - lag, at]
        afters = [at + lag for lag in lags] + [at] * len(lags) + [at - 1, at + lag]
        pairs = _compare(thumbs, signals, np.concatenate(befores), np.concatenate(afters)).reshape(-1, len(at))
        across = np.minimum(unlike[doubtful], pairs[:-2].min(axis=0))
        within = pairs[-2:].min(axis=0)
        needed = LEAST_UNLIKENESS + STEPPING_UNLIKENESS * np.clip(2 * _peers(signals, at) - 0.6, 0, 1)
        margin[doubtful] = np.minimum.reduce(
            [
                across / needed,
                across / np.maximum(within * OUTGROWS_MOTION, 1e-6),
                MOST_KEPT / np.maximum(kept_share(thumbs, at - 1, at), 1e-3),
            ]
        )
    return margin


def _compare(thumbs: Thumbs, signals: Signals, before: npt.NDArray[np.intp], after: npt.NDArray[np.intp]) -> Floats:
    """Unlikeness of frames, or what their colours make up of it; frames beyond the video are its first and last."""
    before, after = (np.clip(frames, 0, signals.num_frames - 1) for frames in (before, after))
    color = np.abs(signals.mean[before, 1:] - signals.mean[after, 1:]).max(axis=1)
    unlike: Floats = np.maximum(unlikeness(thumbs, signals, before, after), color * COLOR_AS_UNLIKENESS)
    return unlike


def _peers(signals: Signals, jumps: npt.NDArray[np.intp]) -> Floats:
    """The highest change near each jump as a share of its own, on the side where it is lower."""
    reach = signals.frames_in(STEPPING_S, at_least=2)
    shares = np.empty(len(jumps))
    for k, jump in enumerate(jumps):
        before = signals.change[max(0, jump - reach) : max(0, jump - 1)]
        after = signals.change[jump + 2 : jump + 1 + reach]
        lower = min(float(before.max()) if len(before) else 0.0, float(after.max()) if len(after) else 0.0)
        shares[k] = lower / float(signals.change[jump])
    return shares
