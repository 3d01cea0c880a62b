"""Shots become clips: the fewest pieces of nearly equal length, cut between frames."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from pipeline.scan.second_look import Look, guarded, unbroken
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
    look: Look | None = None,
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
        look: What finds nothing in any clip, see `unbroken`; without it clips are taken as they are.
    """

    def span(part: Shot) -> Span:
        return Span(int(edges[part.start_frame]), int(edges[part.end_frame]), time_base)

    def is_enough(part: Shot) -> bool:
        return span(part).duration_s >= min_clip_s

    clips: list[Clip] = []
    for shot_index, shot in enumerate(shots):
        inner = guarded(shot, guard_frames)
        pieces = _pieces(inner, edges, max_clip_s / float(time_base)) if inner else []
        parts = [piece for piece in pieces if is_enough(piece)]
        if look is not None:
            parts = [
                part
                for piece in parts
                for part in unbroken(piece, look, guard_frames=guard_frames, is_enough=is_enough)
            ]
        clips += [
            Clip(
                video_id=video_id,
                shot_index=shot_index,
                start_frame=part.start_frame,
                end_frame=part.end_frame,
                span=span(part),
                transition_in=part.transition_in,
                transition_out=part.transition_out,
            )
            for part in parts
        ]
    return clips


def _pieces(shot: Shot, edges: Ticks, max_ticks: float) -> list[Shot]:
    """A shot as pieces that are not too long."""
    first, last = shot.start_frame, shot.end_frame
    bounds = [first + bound for bound in cut(edges[first : last + 1], max_ticks)]
    return [
        Shot(
            start,
            end,
            shot.transition_in if start == first else Transition.split,
            shot.transition_out if end == last else Transition.split,
        )
        for start, end in pairwise(bounds)
    ]
