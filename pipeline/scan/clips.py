"""Shots become clips: the fewest pieces of nearly equal length, cut between frames."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from schemas.clip import Clip, Shot, Transition
from schemas.span import Span

Ticks = npt.NDArray[np.int64]


def cut(edges: Ticks, max_ticks: float) -> list[int]:
    """Cut a shot into the fewest nearly equal pieces of at most `max_ticks`, between frames.

    Args:
        edges: Where each frame begins and the last one ends, n + 1 ticks, strictly increasing.
        max_ticks: The longest piece; a single frame may be longer.

    Returns:
        Frame numbers at which pieces begin, and n: strictly increasing, the first is 0.
    """
    packed = _packed(edges, max_ticks)
    # No way of cutting needs fewer pieces than packing; lengths that differ less are only a matter of looks.
    num_pieces = len(packed) - 1
    wanted = edges[0] + (edges[-1] - edges[0]) * np.arange(num_pieces + 1) / num_pieces
    bounds = _nearest(edges, wanted)
    frames = np.diff(bounds)
    if (frames > 0).all() and ((np.diff(edges[bounds]) <= max_ticks) | (frames == 1)).all():
        return [int(bound) for bound in bounds]
    return packed


def _nearest(edges: Ticks, wanted: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    after = np.clip(np.searchsorted(edges, wanted), 1, len(edges) - 1)
    before = after - 1
    nearest = np.where(wanted - edges[before] <= edges[after] - wanted, before, after)
    nearest[0], nearest[-1] = 0, len(edges) - 1
    return nearest.astype(np.int64)


def _packed(edges: Ticks, max_ticks: float) -> list[int]:
    """Pieces as long as may be, one after the other."""
    bounds = [0]
    while bounds[-1] < len(edges) - 1:
        start = bounds[-1]
        last = int(np.searchsorted(edges, edges[start] + max_ticks, side="right")) - 1
        bounds.append(max(last, start + 1))
    return bounds


def clips_of(
    shots: Sequence[Shot],
    edges: Ticks,
    *,
    video_id: str,
    time_base: Fraction,
    min_clip_s: float,
    max_clip_s: float,
    guard_frames: int = 0,
) -> list[Clip]:
    """The clips of a video, in order of time.

    Args:
        shots: Its shots.
        edges: Where each frame of the video begins and the last one ends, N + 1 ticks.
        video_id: The video's id.
        time_base: Seconds a tick.
        min_clip_s: Shorter shots and pieces give no clip, in seconds.
        max_clip_s: Longer shots are cut.
        guard_frames: Frames left out at each end of a shot at which there is a transition.
    """
    clips: list[Clip] = []
    for shot_index, shot in enumerate(shots):
        first, last = _guarded(shot, guard_frames)
        if first >= last:
            continue
        bounds = [first + bound for bound in cut(edges[first : last + 1], max_clip_s / float(time_base))]
        for start, end in pairwise(bounds):
            span = Span(int(edges[start]), int(edges[end]), time_base)
            if span.duration_s < min_clip_s:
                continue
            clips.append(
                Clip(
                    video_id=video_id,
                    shot_index=shot_index,
                    start_frame=start,
                    end_frame=end,
                    span=span,
                    transition_in=shot.transition_in if start == first else Transition.split,
                    transition_out=shot.transition_out if end == last else Transition.split,
                )
            )
    return clips


def _guarded(shot: Shot, guard_frames: int) -> tuple[int, int]:
    """A shot's frames without those next to a transition."""
    first = shot.start_frame + (guard_frames if shot.transition_in is not Transition.edge else 0)
    return first, shot.end_frame - (guard_frames if shot.transition_out is not Transition.edge else 0)
