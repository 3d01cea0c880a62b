"""Transitions found in a video, and the shots that they leave."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.clip import Shot, Transition


@dataclass(frozen=True, slots=True)
class Event:
    """A transition: frames `[start_frame, end_frame)` belong to no shot; a hard cut has none.

    At a hard cut both are the first frame of the new shot. An event that starts at 0 or ends at the last
    frame is a fade
    from or to the edge of the video.
    """

    start_frame: int
    end_frame: int
    kind: Transition
    score: float
    """How sure the detector is, from 0 to 1; events at or over 0.5 count."""

    def __post_init__(self) -> None:
        """Refuse a span that runs backwards."""
        if not 0 <= self.start_frame <= self.end_frame:
            raise ValueError(f"an event runs forwards, got {self.start_frame=} {self.end_frame=}")


def merge_events(events: Iterable[Event]) -> list[Event]:
    """Join events that overlap or touch, so that what remains is in order and apart.

    The joined event spans all of them and takes its kind from the longest, a fade before others of equal
    length.
    """
    merged: list[Event] = []
    for event in sorted(events, key=lambda event: (event.start_frame, event.end_frame)):
        if merged and event.start_frame <= merged[-1].end_frame:
            last = merged.pop()
            longer = max(last, event, key=lambda e: (e.end_frame - e.start_frame, e.kind is Transition.fade))
            event = Event(
                last.start_frame,
                max(last.end_frame, event.end_frame),
                longer.kind,
                max(last.score, event.score),
            )
        merged.append(event)
    return merged


def shots_between(events: Iterable[Event], num_frames: int) -> list[Shot]:
    """The shots of a video of `num_frames` frames, given its transitions in order and apart."""
    shots: list[Shot] = []
    start, kind = 0, Transition.edge
    for event in events:
        if event.start_frame > start:
            end_kind = event.kind
            shots.append(Shot(start, min(event.start_frame, num_frames), kind, end_kind))
        start, kind = event.end_frame, event.kind
    if start < num_frames:
        shots.append(Shot(start, num_frames, kind, Transition.edge))
    return shots
