"""A second look at each clip: shown its frames alone, the detector must find no transition in it.

What is seen depends on what is around: a dissolve that hides beside a stronger fade stands out once that is gone, and
the other way round a quick motion at the very end of a clip looks like a cut. Shots keep to what the whole video shows,
where there is most to judge by; clips are what is trained on, and are better a little shorter than doubtful.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from schemas.clip import Shot, Transition

Look = Callable[[int, int], Sequence[Shot]]
"""The shots that a detector finds in frames `[start, end)` when it is shown nothing else, counted from `start`."""

MOST_LOOKS: Final = 6
"""No frame is looked at more often; what the last look still cuts gives no clip."""


def unbroken(
    part: Shot, look: Look, *, guard_frames: int, is_enough: Callable[[Shot], bool], num_looks: int = MOST_LOOKS
) -> list[Shot]:
    """The parts of a part in which the detector finds nothing more, in order; most often just the part itself.

    A transition inside leaves two parts without its frames, one at an end takes its frames off that end.

    Args:
        part: Some frames of a shot, and what lies at their ends.
        look: The detector.
        guard_frames: Frames left out beside each transition found.
        is_enough: Whether a part is worth keeping.
        num_looks: How often it may be looked at.
    """
    found = look(part.start_frame, part.end_frame)
    if [(shot.start_frame, shot.end_frame) for shot in found] == [(0, part.num_frames)]:
        return [part]
    if num_looks <= 1:
        return []
    apart = [_placed(shot, part) for shot in (guarded(shot, guard_frames) for shot in found) if shot is not None]
    return [
        whole
        for shot in apart
        if is_enough(shot)
        for whole in unbroken(shot, look, guard_frames=guard_frames, is_enough=is_enough, num_looks=num_looks - 1)
    ]


def guarded(shot: Shot, guard_frames: int) -> Shot | None:
    """A shot without the frames next to a transition; None if there are no others."""
    first = shot.start_frame + (guard_frames if shot.transition_in is not Transition.edge else 0)
    last = shot.end_frame - (guard_frames if shot.transition_out is not Transition.edge else 0)
    return replace(shot, start_frame=first, end_frame=last) if first < last else None


def _placed(shot: Shot, part: Shot) -> Shot:
    """A shot found in a part, in frames of the video; where it reaches an end of the part it ends as the part does."""
    into, out = shot.transition_in, shot.transition_out
    return replace(
        shot,
        start_frame=part.start_frame + shot.start_frame,
        end_frame=part.start_frame + shot.end_frame,
        transition_in=part.transition_in if into is Transition.edge else into,
        transition_out=part.transition_out if out is Transition.edge else out,
    )
