"""Which frames are looked at closely: decided by presentation time alone, so that segments agree with the whole."""

from __future__ import annotations

from fractions import Fraction


class Grid:
    """Points in time at equal distance, counted from the stream's time 0.

    Args:
        time_base: Seconds a tick.
        per_s: Points a second.
    """

    __slots__ = ("_denominator", "_numerator")

    def __init__(self, time_base: Fraction, per_s: Fraction) -> None:
        points_a_tick = time_base * per_s
        self._numerator, self._denominator = points_a_tick.numerator, points_a_tick.denominator

    def cell(self, pts: int) -> int:
        """How many points lie before `pts`, exactly, whatever the size of the numbers.

        A frame shown over `[pts, next_pts)` shows a point when `cell(pts) != cell(next_pts)`; every span as long as
        the distance of two points has a frame that shows one.
        """
        return -(-pts * self._numerator // self._denominator)
