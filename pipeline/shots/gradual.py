"""Gradual transitions inside a stretch without hard cuts: where to look, and what a dissolve or a wipe looks like.

The search works on every k-th frame, so that neighbours are about `STEP_S` apart at any frame rate, and on pictures
of 16 x 9 pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.shots.blend import fit_blend
from pipeline.shots.coarse import coarse
from pipeline.shots.detail import detail_share
from pipeline.shots.event import Event
from pipeline.shots.motion import MOST_KEPT, kept_share, unlikeness
from pipeline.shots.signals import Floats, Signals, Thumbs
from pipeline.shots.wipe import fit_wipe
from schemas.clip import Transition

STEP_S = 0.04
HALVES = (2, 4, 8, 16, 32)
"""Half the lengths of the windows that are tried, in steps: 0.16 to 2.6 seconds."""
CHUNK_STEPS = 2048
LEAST_ENERGY = 12.0
"""Mean squared change over a window, in squared levels, summed over the channels: less is noise."""
LEAST_SHARE = 0.2
"""The same as a share of the variance of both pictures, which is 1 for unrelated pictures of equal
brightness."""
STRAIGHT = 1.3
"""How straight the way through picture space is: 2 on a line, 1 for independent steps, 0.5 for wandering
about."""
STANDS_OUT = 2.0
"""Or: how many times the change over the windows before and after."""
PROPOSAL_UNLIKENESS = 0.3
"""Ends of a window more alike than this are one shot."""
UNLIKENESS, UNLIKENESS_OFF = 0.22, 0.4
"""Both ends must be so unlike where the fit is perfect, and the second more where it is at its limit."""
LEAST_STEP_SHARE = 0.3
"""A quarter of a dissolve is no motion of what was there before; a quarter of a pan over soft things is, and only
its whole way is too long to be seen as one."""
MOST_DETAIL = 0.85
"""Share of detail that a dissolve may keep: 0.5 between unrelated pictures, more where both share a border or a
caption, 1 for a moving camera."""
WIPE_UNLIKENESS = 0.5
"""The same for a wipe, whose fit says more by itself."""
UNSEEN_SHARE = 0.06
"""Share of a transition at its end that counts to the new shot."""
WIPE_ROUNDS = 2
CLEAN_BLEND = 0.04
"""A blend with less residual cannot be a wipe."""
LONGEST_S = 3.2


@dataclass(frozen=True, slots=True)
class _Proposal:
    middle: int
    half: int
    weight: float


def find_gradual(thumbs: Thumbs, signals: Signals, known: Sequence[Event]) -> list[Event]:
    """Dissolves and wipes in the stretches between the events that are known already, in order and apart."""
    stride = max(1, round(STEP_S / signals.interval_s))
    steps = np.arange(0, signals.num_frames, stride)
    stretches: list[tuple[int, int]] = []
    begin = 0
    for event in known:
        stretches.append((-(-begin // stride), -(-event.start_frame // stride)))
        begin = event.end_frame
    stretches.append((-(-begin // stride), len(steps)))
    stretches = [(begin, end) for begin, end in stretches if end - begin >= 2 * HALVES[0] + 1]
    proposals = _propose(thumbs, steps, stretches)
    events: list[Event] = []
    found: list[tuple[int, int]] = []
    if not proposals:
        return events
    first = steps[[proposal.middle - proposal.half for proposal, _ in proposals]]
    last = steps[[proposal.middle + proposal.half for proposal, _ in proposals]]
    unlike = unlikeness(thumbs, signals, first, last)
    for (proposal, stretch), apart in zip(proposals, unlike, strict=True):
        if apart < PROPOSAL_UNLIKENESS or any(a < proposal.middle < b for a, b in found):
            continue
        judged = _judge(thumbs, signals, steps, proposal, stretch)
        if judged is not None:
            events.append(judged)
            if judged.score >= 0.5:
                found.append((judged.start_frame // stride, -(-judged.end_frame // stride)))
    return _best_apart(events)


def _propose(
    thumbs: Thumbs, steps: npt.NDArray[np.intp], stretches: Sequence[tuple[int, int]]
) -> list[tuple[_Proposal, tuple[int, int]]]:
    """Windows over which the picture changes for good, and straight or more than around; the strongest first."""
    energies, variance = _energies(thumbs, steps)
    proposals = []
    for begin, end in stretches:
        for half in HALVES:
            middles = np.arange(begin + half, end - half)
            if not len(middles):
                continue
            across = energies[2 * half][middles - half]
            halves = energies[half][middles - half] + energies[half][middles]
            share = across / (variance[middles - half] + variance[middles + half] + 8)
            straight = across / (halves + 1e-3)
            before = np.where(middles - 3 * half >= begin, energies[2 * half][middles - 3 * half], np.inf)
            after = np.where(middles + 3 * half < end, energies[2 * half][middles + half], np.inf)
            calm = np.minimum(before, after)
            stands_out = np.where(np.isfinite(calm), across / (calm + 1), STANDS_OUT + 1)
            wanted = (share > LEAST_SHARE) & (across > LEAST_ENERGY)
            wanted &= (straight > STRAIGHT) | (stands_out > STANDS_OUT)
            weight = np.where(wanted, across * np.minimum(straight, 2.0), 0)
            while (peak := int(weight.argmax())) >= 0 and weight[peak] > 0:
                proposal = _Proposal(int(middles[peak]), half, float(weight[peak]))
                proposals.append((proposal, (begin, end)))
                weight[max(0, peak - half) : peak + half + 1] = 0
    proposals.sort(key=lambda pair: (-pair[0].weight, pair[0].middle, pair[0].half))
    return proposals


def _energies(thumbs: Thumbs, steps: npt.NDArray[np.intp]) -> tuple[dict[int, Floats], Floats]:
    """Mean squared change from each step to `lag` steps later, for every lag needed; and each picture's variance."""
    num = len(steps)
    lags = sorted({*HALVES, *(2 * half for half in HALVES)})
    energies: dict[int, Floats] = {lag: np.zeros(num, np.float32) for lag in lags}
    variance = np.zeros(num, np.float32)
    for begin in range(0, num, CHUNK_STEPS):
        end = min(begin + CHUNK_STEPS, num)
        pictures = coarse(thumbs, steps[begin : min(end + lags[-1], num)])
        own = pictures[: end - begin].reshape(end - begin, -1, 3)
        variance[begin:end] = own.var(axis=1).sum(axis=1)
        for lag in lags:
            count = min(end - begin, len(pictures) - lag)
            if count > 0:
                difference = pictures[lag : lag + count] - pictures[:count]
                energies[lag][begin : begin + count] = np.einsum("ij,ij->i", difference, difference) / 144
    return energies, variance


def _judge(
    thumbs: Thumbs,
    signals: Signals,
    steps: npt.NDArray[np.intp],
    proposal: _Proposal,
    stretch: tuple[int, int],
) -> Event | None:
    """What the window shows, if it is a transition at all."""
    low = max(stretch[0], proposal.middle - 2 * proposal.half)
    high = min(stretch[1] - 1, proposal.middle + 2 * proposal.half)
    pictures = coarse(thumbs, steps[low : high + 1])
    blend = fit_blend(pictures, proposal.middle - low)
    dissolve = wipe = None
    if blend is not None and blend.off <= 1.4:
        ends = int(steps[low + blend.begin]), int(steps[low + blend.end])
        dissolve = _event(thumbs, signals, ends, Transition.dissolve, blend.off)
    if blend is None or blend.residual > CLEAN_BLEND:
        wipe = _judge_wipe(thumbs, signals, steps, (low, high), stretch)
    found = [event for event in (dissolve, wipe) if event is not None]
    return max(found, key=lambda event: (event.score >= 0.5, event.kind is Transition.wipe), default=None)


def _judge_wipe(
    thumbs: Thumbs,
    signals: Signals,
    steps: npt.NDArray[np.intp],
    window: tuple[int, int],
    stretch: tuple[int, int],
) -> Event | None:
    """The wipe in a window, fitted again with ends just outside it: of all fits that hold, the last.

    An end too near cuts the wipe short, one too far lets motion in.
    """
    low, high = window
    fits: list[tuple[float, float, float]] = []
    for _ in range(WIPE_ROUNDS):
        wipe = fit_wipe(coarse(thumbs, steps[low : high + 1]))
        if wipe is None or wipe.off > 3:
            break
        begin, end = low + wipe.begin, low + wipe.end
        fits.append((wipe.off, begin, end))
        margin = max(2.0, 0.3 * (end - begin))
        around = max(stretch[0], int(begin - margin)), min(stretch[1] - 1, int(np.ceil(end + margin)))
        if around == (low, high):
            break
        low, high = around
    if not fits:
        return None
    holding = [fit for fit in fits if fit[0] <= 1]
    off, begin, end = holding[-1] if holding else min(fits)
    exact = np.interp([begin, end], np.arange(len(steps)), steps)
    ends = int(np.floor(exact[0])), int(np.ceil(exact[1]))
    return _event(thumbs, signals, ends, Transition.wipe, off)


def _event(thumbs: Thumbs, signals: Signals, ends: tuple[int, int], kind: Transition, off: float) -> Event | None:
    """The event between the last old and the first new frame, if these are unlike enough for so good a fit."""
    before, after = max(0, ends[0]), min(ends[1], signals.num_frames - 1)
    duration_s = signals.times_s[after] - signals.times_s[before]
    if off > 1.4 or after - before < 2 or duration_s > LONGEST_S:
        return None
    pair = np.array([before]), np.array([after])
    kept = float(kept_share(thumbs, *pair)[0])
    if kept > 1.4 * MOST_KEPT:
        return None
    unlike = float(unlikeness(thumbs, signals, *pair)[0])
    needed = WIPE_UNLIKENESS if kind is Transition.wipe else UNLIKENESS + UNLIKENESS_OFF * min(off, 1.0)
    margin = min(1 / max(off, 0.05), unlike / needed, MOST_KEPT / max(kept, 1e-3))
    if kind is Transition.dissolve and margin >= 1:
        margin = min(margin, MOST_DETAIL / max(detail_share(thumbs, before, after), 0.1))
    if kind is Transition.dissolve and margin >= 1:
        margin = min(margin, _step_share(thumbs, signals, before, after, unlike) / LEAST_STEP_SHARE)
    # In its last few percent nobody sees the old picture any more, and the fit is as likely late as early.
    if kind is Transition.dissolve:
        after -= round(UNSEEN_SHARE * (after - before))
    return Event(before + 1, after, kind, margin / (1 + margin))


def _step_share(thumbs: Thumbs, signals: Signals, before: int, after: int, unlike: float) -> float:
    """How unlike pictures a quarter of the way apart are, as a share of how unlike both ends are."""
    quarters = np.linspace(before, after, 5).round().astype(np.intp)
    return float(unlikeness(thumbs, signals, quarters[:-1], quarters[1:]).mean()) / unlike


def _best_apart(events: Sequence[Event]) -> list[Event]:
    """Of events that overlap only the one with the highest score."""
    kept: list[Event] = []
    for event in sorted(events, key=lambda event: (-event.score, event.start_frame)):
        if all(event.end_frame <= other.start_frame or other.end_frame <= event.start_frame for other in kept):
            kept.append(event)
    return kept
