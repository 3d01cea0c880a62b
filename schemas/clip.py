"""Shots of a video, and the clips taken from them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from schemas.ids import clip_id
from schemas.span import Span


class Transition(StrEnum):
    """What lies at one end of a shot or a clip."""

    cut = "cut"
    fade = "fade"
    dissolve = "dissolve"
    wipe = "wipe"
    edge = "edge"
    """The first or the last frame of the video."""
    split = "split"  # type: ignore[assignment]  # no one splits a transition's name
    """The shot goes on in the next clip."""


@dataclass(frozen=True, slots=True)
class Shot:
    """Frames `[start_frame, end_frame)` between two transitions, without the transitions' own frames."""

    start_frame: int
    """Decoded frames in presentation order, from 0."""
    end_frame: int
    transition_in: Transition
    transition_out: Transition

    def __post_init__(self) -> None:
        """Refuse what holds no frame."""
        if not 0 <= self.start_frame < self.end_frame:
            raise ValueError(f"a shot holds a frame at least, got {self.start_frame=} {self.end_frame=}")

    @property
    def num_frames(self) -> int:
        """How many frames it holds."""
        return self.end_frame - self.start_frame


@dataclass(frozen=True, slots=True)
class Clip:
    """A span of one shot, the unit that is kept or dropped, captioned and trained on."""

    video_id: str
    shot_index: int
    """Which shot of the video, in order of time, from 0."""
    start_frame: int
    end_frame: int
    span: Span
    transition_in: Transition
    transition_out: Transition

    @property
    def clip_id(self) -> str:
        """The name that comes from the video's content and the span."""
        return clip_id(self.video_id, self.span)

    @property
    def num_frames(self) -> int:
        """How many frames it holds."""
        return self.end_frame - self.start_frame
