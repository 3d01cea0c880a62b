"""Fades: the picture scales towards one plain colour or out of it; the contrast falls in a line to (near) nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.shots.event import Event
from pipeline.shots.motion import unlikeness
from pipeline.shots.signals import Floats, Signals, Thumbs
from schemas.clip import Transition

FLAT_SPREAD = 2.5
"""Levels of standard deviation, in luma and chroma, up to which a frame is one plain colour."""
NEUTRAL = 14.0
"""Levels of mean chroma off grey up to which a plain colour is black, grey or white; other cards are
shots."""
LONGEST_S = 3.0
"""The longest fade on one side of the plain colour."""
SHORTEST_S = 0.06
"""Shorter ramps are cuts to or from the plain colour."""
DIP = 0.45
"""A dip that does not reach a plain colour must fall to less than this part of the contrast on both sides."""
UNLIKE = 0.25
"""Both sides of such a dip must be other pictures, else light went out and on in one shot."""
SCALED = 0.22
"""Frames on the ramp must be scaled copies of the picture: no more unlike it than this."""
FLASH_S = 0.3
"""A shorter stretch of plain colour between pictures that are alike is a flash."""
UNSEEN_SHARE = 0.12
"""Share of a ramp, where the picture is all but there, that counts to the shot."""


@dataclass(frozen=True, slots=True)
class _Ramp:
    """A fade on one side of the plain colour: `num_frames` 0 is a cut to or from it."""

    num_frames: int
    error: float
    """Root mean square distance from a straight line, as part of the height."""


def find_fades(thumbs: Thumbs, signals: Signals, cuts: Sequence[int]) -> list[Event]:
    """Every stretch of plain colour with the fades around it, and every dip in contrast that comes near.

    Args:
        thumbs: Thumbnails.
        signals: What was measured of them.
        cuts: First frames after hard cuts; no fade goes on beyond one.
    """
    spread = signals.spread
    flat = (spread[:, 0] <= FLAT_SPREAD) & (spread[:, 1:].max(axis=1) <= FLAT_SPREAD)
    if flat.all():
        return []
    runs = _runs(flat)
    # A ramp stops at a cut and at the next plain stretch, whose first frame it cannot hold either way.
    barriers = np.unique(np.array([*cuts, *(frame for run in runs for frame in run)], np.intp))
    events = [event for begin, end in runs if (event := _plain(thumbs, signals, barriers, begin, end)) is not None]
    events += [event for bottom in _dips(signals, flat) if (event := _dip(thumbs, signals, bottom)) is not None]
    return events


def _runs(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open runs of true entries."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in zip(edges[::2], edges[1::2], strict=True)]


def _plain(thumbs: Thumbs, signals: Signals, barriers: npt.NDArray[np.intp], begin: int, end: int) -> Event | None:
    """The event around frames `[begin, end)` of plain colour, unless they are a flash or a plain card."""
    color = signals.mean[begin:end].mean(axis=0)
    before = _ramp(signals, barriers, color, begin - 1, -1)
    after = _ramp(signals, barriers, color, end, +1)
    fades = before.num_frames + after.num_frames > 0
    inside = begin - before.num_frames > 0 and end + after.num_frames < signals.num_frames
    if inside:
        old, new = begin - before.num_frames - 1, end + after.num_frames
        short = signals.times_s[new] - signals.times_s[old + 1] <= FLASH_S
        if short and _unlike(thumbs, signals, old, new) < UNLIKE:
            return None
    if not fades and np.abs(color[1:] - 128).max() > NEUTRAL:
        return None
    kind = Transition.fade if fades else Transition.cut
    return Event(begin - _seen(before.num_frames), end + _seen(after.num_frames), kind, 0.9)


def _seen(num_frames: int) -> int:
    """A ramp without the last few percent next to the picture, which nobody sees."""
    return num_frames - round(UNSEEN_SHARE * num_frames)


def _dips(signals: Signals, flat: npt.NDArray[np.bool_]) -> list[int]:
    """Frames where contrast has its minimum between two sides of clearly more contrast, without being flat."""
    spread = signals.spread[:, 0]
    reach = signals.frames_in(LONGEST_S / 2, at_least=3)
    near = signals.frames_in(0.1)
    lowest = np.ones(len(spread), bool)
    for lag in range(1, near + 1):
        lowest[lag:] &= spread[lag:] <= spread[:-lag]
        lowest[:-lag] &= spread[:-lag] < spread[lag:]
    bottoms = []
    for frame in np.flatnonzero(lowest & ~flat):
        before = spread[max(0, frame - reach) : frame]
        after = spread[frame + 1 : frame + 1 + reach]
        if not len(before) or not len(after) or flat[max(0, frame - reach) : frame + reach].any():
            continue
        if spread[frame] <= DIP * min(before.max(), after.max()):
            bottoms.append(int(frame))
    return bottoms


def _dip(thumbs: Thumbs, signals: Signals, bottom: int) -> Event | None:
    """The event around a dip in contrast, if it is a fade out of one picture and into another."""
    spread = signals.spread[:, 0]
    sides = []
    for step in (-1, +1):
        limit = signals.frames_in(LONGEST_S / 2, at_least=3)
        frames = _side(signals, bottom, step, limit)
        ramp = _fit_ramp(spread[frames])
        if ramp.num_frames < 2 or ramp.error > 0.12:
            return None
        sides.append(ramp.num_frames)
    before, after = bottom - sides[0], bottom + sides[1]
    if before < 0 or after >= signals.num_frames or _unlike(thumbs, signals, before, after) < UNLIKE:
        return None
    out = _unlike(thumbs, signals, before, bottom - max(1, sides[0] // 2))
    into = _unlike(thumbs, signals, bottom + max(1, sides[1] // 2), after)
    if min(out, into) > SCALED or max(out, into) > 2 * SCALED:
        return None
    return Event(before + 1, after, Transition.fade, 0.7)


def _unlike(thumbs: Thumbs, signals: Signals, before: int, after: int) -> float:
    return float(unlikeness(thumbs, signals, np.array([before]), np.array([after]))[0])


def _side(signals: Signals, start: int, step: int, limit: int) -> npt.NDArray[np.intp]:
    """Frames from `start` on, in one direction, up to `limit` and inside the video."""
    count = min(limit, start + 1 if step < 0 else signals.num_frames - start)
    return start + step * np.arange(max(0, count))


def _ramp(signals: Signals, barriers: npt.NDArray[np.intp], color: Floats, start: int, step: int) -> _Ramp:
    """How many frames from `start` on (away from the plain colour) are still fading."""
    frames = _side(signals, start, step, signals.frames_in(LONGEST_S * 1.5, at_least=4))
    if step > 0:
        ahead = barriers[barriers > start + 2]
        frames = frames[frames < ahead[0]] if len(ahead) else frames
    else:
        behind = barriers[barriers <= start - 2]
        frames = frames[frames >= behind[-1]] if len(behind) else frames
    if len(frames) < 2:
        return _Ramp(0, 0.0)
    # The distance of a frame from the colour, over all pixels and channels, is linear in a fade's share of
    # picture.
    away = signals.mean[frames] - color
    distance = np.sqrt((signals.spread[frames] ** 2 + away**2).sum(axis=1))
    ramp = _fit_ramp(distance)
    duration_s = ramp.num_frames * signals.interval_s
    if ramp.num_frames < 2 or duration_s < SHORTEST_S or duration_s > LONGEST_S:
        return _Ramp(0, ramp.error)
    return ramp


def _fit_ramp(values: Floats) -> _Ramp:
    """Fit a straight rise from 0 just before the first value to a plateau; a jump gives 0 frames.

    The rise ends where the sum of squared errors is least, each plateau being the mean of what follows for as long
    as the rise itself lasted.
    """
    errors = _ramp_errors(values.astype(np.float64))
    best, best_error = 0, np.inf
    for length, error in enumerate(errors.tolist()):
        # Every longer rise must pay for itself, or noise on a plateau would be taken for the end of one.
        if error < best_error * 0.97:
            best, best_error = length, error
    return _Ramp(_kink(values[: best * 5 // 3 + 3], best), best_error)


def _ramp_errors(values: Floats) -> Floats:
    """The error of every length of rise, as part of the plateau's height."""
    count = len(values)
    places = np.arange(1, count + 1, dtype=np.float64)
    sums, squares, moments, quadratic = (
        np.concatenate(([0.0], np.cumsum(terms))) for terms in (values, values**2, places * values, places**2)
    )
    length = np.arange(count - 1)
    end = np.minimum(length + np.maximum(3, length), count)
    level = (sums[end] - sums[length]) / (end - length)
    slope = level / (length + 1)
    on_line = squares[length] - 2 * slope * moments[length] + slope**2 * quadratic[length]
    on_plateau = squares[end] - squares[length] - (end - length) * level**2
    errors: Floats = np.sqrt(np.maximum(on_line + on_plateau, 0) / end) / np.maximum(level, 1e-6)
    return errors


def _kink(values: Floats, length: int) -> int:
    """Where a rise from 0 bends into another line: what follows may grow or fall slowly by itself."""
    kinks = np.arange(max(1, length // 2), min(len(values), length * 3 // 2 + 1))
    if length < 2 or not len(kinks):
        return length
    places = np.arange(1, len(values) + 1, dtype=np.float64)
    bends = np.maximum(places - kinks[:, None] - 1, 0)
    own, cross, bent = float(places @ places), bends @ places, (bends**2).sum(axis=1) + 1e-9
    toward_line, toward_bend = float(places @ values), bends @ values
    # The energy that the two-piece line explains, by the normal equations of two unknowns.
    explained = (toward_line**2 * bent - 2 * toward_line * toward_bend * cross + toward_bend**2 * own) / (
        own * bent - cross**2 + 1e-9
    )
    return int(kinks[explained.argmax()])
