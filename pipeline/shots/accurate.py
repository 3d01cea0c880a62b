"""The accurate detector: what `default` is sure of, and what weaker evidence and TransNetV2 show together.

The network adds, and takes nothing away: its silence is wrong more often than what `default` is sure of, since it was
never shown a wipe and misses slow dissolves and cuts in small pictures. Its answer alone is not enough either: a light
that is switched on, a flash or a whip pan looks like a cut to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from pipeline.shots.blend import fit_blend
from pipeline.shots.classical import propose
from pipeline.shots.coarse import coarse
from pipeline.shots.event import Event, merge_events
from pipeline.shots.motion import MOST_KEPT, kept_share, unlikeness
from pipeline.shots.signals import Floats, Signals, Thumbs, measure
from pipeline.shots.transnet import STEP_FRAMES, Peak, find_peaks, predict
from schemas.clip import Transition

WEAK_SCORE = 0.45
"""From this score on `LEAST_ANSWER` is enough."""
LEAST_ANSWER, SURE_ANSWER = 0.4, 0.9
"""What the network must answer where a proposal is nearly good enough by itself, and where there is none."""
EVIDENCE_WEIGHT = 2.0
"""How much more it must answer for each unit by which the best proposal falls short of `WEAK_SCORE`."""
APART_FRAMES = 3
"""An answer or a proposal so near an event belongs to it."""
DOUBTFUL_SCORE = 0.6
"""Only a dissolve with a lower score may be a cut instead."""
PART_ANSWER = 0.3
"""Many-hot answers below say that the frame is in no transition."""
MOST_EARLIER = 0.15
"""As a share of a dissolve, how much of it that only the network sees is added at its start; two frames at least."""
LEAST_UNLIKENESS = 0.15
"""Both sides must be so unlike, see `unlikeness`: what is less is one shot in another light."""
OUTGROWS_MOTION = 1.2
"""And so many times more unlike than frames `MOTION_S` apart on the quieter side, where the transition is short."""
MOTION_S = 0.12
"""So long after a flash or a strobe the picture is back."""
NARROW_FRAMES = 4
"""Transitions up to so many frames are too short to fit a blend."""
WORST_FIT = 1.4
"""A blend that is further off its limits says nothing about the ends."""
MIXED = (0.15, 0.85)
"""The new picture's share in a frame that belongs to neither shot."""
STILL_LEVELS, STILL_FRAMES = 2.0, 6
"""Where no two frames `STILL_FRAMES` or twice as many apart differ by so much, there is nothing to ask."""


def accurate(thumbs: Thumbs, times_s: Floats, params: Mapping[str, float]) -> list[Event]:
    """Hard cuts, fades, dissolves and wipes, with TransNetV2 on every stretch where the picture changes.

    Params: `least_answer` (0.4), higher adds less.
    """
    if not len(thumbs):
        return []
    proposals = propose(thumbs, times_s)
    answers = np.zeros((2, len(thumbs)), np.float32)
    windows = [window for window in range(0, len(thumbs), STEP_FRAMES) if _changes(thumbs, window)]
    for window, answer in predict(thumbs, windows):
        answers[:, window : window + answer.shape[1]] = answer
    least = params.get("least_answer", LEAST_ANSWER)
    return fuse(thumbs, measure(thumbs, times_s), proposals, answers, least)


def fuse(
    thumbs: Thumbs,
    signals: Signals,
    proposals: Sequence[Event],
    answers: Floats,
    least_answer: float = LEAST_ANSWER,
) -> list[Event]:
    """Proposals that are sure, and those that the network bears out, in order and apart.

    Args:
        thumbs: The whole video.
        signals: What was measured of it.
        proposals: From `propose`.
        answers: Of the network, (2, N): that a shot ends with the frame, and that the frame is in a transition.
        least_answer: The least answer that counts, 0 to 1.
    """
    peaks = find_peaks(answers[0], answers[1], least_answer)
    sure = merge_events(event for event in proposals if event.score >= 0.5)
    known = [_corrected(thumbs, signals, event, peaks, answers) for event in sure]
    weak = [event for event in proposals if event.score < 0.5]
    found: list[Event] = []
    for peak in peaks:
        if _touches(peak.frame + 1, peak.frame + 1, known):
            continue
        evidence = max((event.score for event in weak if _touches(peak.begin, peak.end, [event])), default=0.0)
        needed = least_answer + EVIDENCE_WEIGHT * max(0.0, WEAK_SCORE - evidence)
        if peak.answer < min(needed, SURE_ANSWER):
            continue
        event = _event(thumbs, signals, peak)
        if event is not None and not _touches(event.start_frame, event.end_frame, known):
            found.append(event)
    return merge_events([*known, *found])


def _corrected(thumbs: Thumbs, signals: Signals, event: Event, peaks: Sequence[Peak], answers: Floats) -> Event:
    """A dissolve from the first frame that the network gives it; the cut that a doubtful one was taken for."""
    if event.kind is not Transition.dissolve:
        return event
    touching = [peak for peak in peaks if _touches(peak.frame + 1, peak.frame + 1, [event])]
    wide = [peak.begin for peak in touching if peak.length > NARROW_FRAMES and event.start_frame < peak.end]
    if wide:
        length = event.end_frame - event.start_frame
        earliest = event.start_frame - max(2, round(MOST_EARLIER * length))
        return replace(event, start_frame=min(event.start_frame, max(earliest, min(wide))))
    if len(touching) != 1 or event.score >= DOUBTFUL_SCORE:
        return event
    (peak,) = touching
    around = _around(event)
    before, after = answers[1, around.start : peak.begin], answers[1, peak.end : around.stop]
    if float(max(before.max(initial=0), after.max(initial=0))) >= PART_ANSWER:
        return event
    return _event(thumbs, signals, peak) or event


def _around(event: Event) -> slice:
    return slice(max(0, event.start_frame - APART_FRAMES), event.end_frame + APART_FRAMES)


def _changes(thumbs: Thumbs, window: int) -> bool:
    """Whether the picture changes in the frames of a window and right before and after."""
    first = max(0, window - 2 * STILL_FRAMES)
    part = np.asarray(thumbs[first : window + STEP_FRAMES + 2 * STILL_FRAMES : STILL_FRAMES])
    pictures = coarse(part, np.arange(len(part)))
    return any(
        len(pictures) > lag and float(np.abs(pictures[lag:] - pictures[:-lag]).mean(axis=1).max()) >= STILL_LEVELS
        for lag in (1, 2)
    )


def _touches(start: int, end: int, events: Sequence[Event]) -> bool:
    return any(event.start_frame - APART_FRAMES <= end and start <= event.end_frame + APART_FRAMES for event in events)


def _event(thumbs: Thumbs, signals: Signals, peak: Peak) -> Event | None:
    """The transition around a peak; None where both sides are pictures of one shot."""
    last = signals.num_frames - 1
    if peak.frame >= last:
        return None
    narrow = peak.length <= NARROW_FRAMES
    begin, end = _narrow_ends(thumbs, peak) if narrow else _wide_ends(thumbs, peak)
    old, new = max(0, begin - 1), min(end, last)
    lag = signals.frames_in(MOTION_S)
    before, after = max(0, old - lag), min(last, new + lag)
    pairs = np.array([(old, new), (before, new), (old, after), (before, after), (before, old), (new, after)])
    *across, within_old, within_new = unlikeness(thumbs, signals, pairs[:, 0], pairs[:, 1]).tolist()
    if min(across) < LEAST_UNLIKENESS or (narrow and across[0] < OUTGROWS_MOTION * min(within_old, within_new)):
        return None
    if float(kept_share(thumbs, pairs[:1, 0], pairs[:1, 1])[0]) > MOST_KEPT:
        return None
    return Event(begin, end, Transition.cut if begin == end else Transition.dissolve, peak.answer)


def _narrow_ends(thumbs: Thumbs, peak: Peak) -> tuple[int, int]:
    """The frames around a peak that are neither the old nor the new picture: none at a clean cut."""
    first, last = max(0, peak.begin - 1), min(len(thumbs) - 1, peak.end + 1)
    pictures = coarse(thumbs, np.arange(first, last + 1))
    direction = pictures[-1] - pictures[0]
    share = (pictures - pictures[0]) @ direction / (float(direction @ direction) + 1e-3)
    old = np.flatnonzero(share[:-1] < MIXED[0])
    begin = int(old.max(initial=0)) + 1
    new = np.flatnonzero(share[begin:] > MIXED[1])
    return first + begin, first + begin + int(new.min(initial=len(share) - 1 - begin))


def _wide_ends(thumbs: Thumbs, peak: Peak) -> tuple[int, int]:
    """The ends of the blend around a peak, or of the many-hot answer where it is none."""
    reach = peak.length + NARROW_FRAMES
    first, last = max(0, peak.begin - reach), min(len(thumbs) - 1, peak.end + reach)
    fit = fit_blend(coarse(thumbs, np.arange(first, last + 1)), (peak.begin + peak.end) // 2 - first)
    if fit is not None and fit.off <= WORST_FIT:
        begin, end = first + fit.begin + 1, first + fit.end
        if begin < peak.end and peak.begin < end and end - begin <= 3 * peak.length:
            return begin, end
    # The answer leaves out the first frame or two, where the new picture is hardly there.
    return max(1, peak.begin - 1), peak.end
