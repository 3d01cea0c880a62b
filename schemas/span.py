"""Half-open spans of time in a stream's own clock."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Span:
    """The time `[start_pts, end_pts)` of one stream.

    Raises:
        ValueError: The span is empty or runs backwards, or the time base is not positive.
    """

    start_pts: int
    """Presentation time of the first frame, in ticks of `time_base`."""
    end_pts: int
    """Where the last frame ends, in ticks of `time_base`."""
    time_base: Fraction
    """Seconds a tick."""

    def __post_init__(self) -> None:
        """Refuse what is no span."""
        if self.end_pts <= self.start_pts:
            raise ValueError(f"a span must not be empty, got {self.start_pts=} {self.end_pts=}")
        if self.time_base <= 0:
            raise ValueError(f"a time base is positive, got {self.time_base=}")

    @property
    def ticks(self) -> int:
        """The length, in ticks."""
        return self.end_pts - self.start_pts

    @property
    def start_s(self) -> float:
        """The start, in seconds of the stream's clock."""
        return float(self.start_pts * self.time_base)

    @property
    def end_s(self) -> float:
        """The end, in seconds of the stream's clock."""
        return float(self.end_pts * self.time_base)

    @property
    def duration_s(self) -> float:
        """The length, in seconds."""
        return float(self.ticks * self.time_base)
