"""Presentation times that strictly increase, whatever the file says."""

from __future__ import annotations

_MAX_TICKS = 1 << 60
"""Larger than any true time, and far enough from the end of 64 bits for sums."""
_RESTART_S = 1.0
"""A clock that falls back by more than this was restarted; by less, single frames are misplaced."""


class PtsRepair:
    """Gives each decoded frame, in the decoder's output order, a time later than that of the frame before.

    A frame's own PTS is kept where it is later than the frame before. Where it is missing the DTS stands
    in, else the frame before plus one frame's duration. A time that stands still or falls back a little is
    replaced by half a duration after the frame before: so slowly that the true clock overtakes it and is
    followed again. After a restart (a fall of more than a second) the new clock goes on where the old one
    stopped.

    Args:
        duration: Ticks a frame lasts where the file does not say; at least 1.
        second: Ticks in a second, rounded; at least 1.
    """

    def __init__(self, duration: int, second: int) -> None:
        self.num_repaired = 0
        """Frames whose time is not the PTS that the file gives."""
        self._duration = max(1, duration)
        self._restart = max(1, round(second * _RESTART_S))
        self._offset = 0
        self._last: int | None = None
        self._last_duration = self._duration

    def __call__(self, pts: int | None, dts: int | None = None, duration: int | None = None) -> int:
        """The repaired time of the next frame, in ticks.

        Args:
            pts: The frame's own time.
            dts: When its packet was to be decoded, the second best.
            duration: How long it lasts; used for what follows it.
        """
        repaired = self._place(_sane(pts), _sane(dts))
        if repaired != pts:
            self.num_repaired += 1
        self._last = repaired
        self._last_duration = duration if duration and 0 < duration < _MAX_TICKS else self._duration
        return repaired

    def _place(self, pts: int | None, dts: int | None) -> int:
        told = pts if pts is not None else dts
        if self._last is None:
            return told or 0
        after = self._last + self._last_duration
        if told is None:
            return after
        if 0 < told - self._last <= self._restart:
            self._offset = 0
        moved = told + self._offset
        if moved > self._last:
            return moved
        if self._last - moved > self._restart:
            self._offset = after - told
            return after
        return self._last + max(1, self._last_duration // 2)


def _sane(ticks: int | None) -> int | None:
    return ticks if ticks is not None and abs(ticks) < _MAX_TICKS else None
