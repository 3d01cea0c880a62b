"""Lines on standard error that say how far a command is."""

from __future__ import annotations

import sys
import time

REPORT_S = 10.0
"""Between two lines on the progress of a training."""
TERMINAL_S, LOG_S = 2.0, 60.0
"""The same of what takes hours: on a terminal, and where nobody watches."""


def say(text: str) -> None:
    """Print a line at once."""
    print(text, file=sys.stderr, flush=True)


class Pace:
    """Tells when the next line is due.

    Args:
        every_s: Seconds between two lines; without it as suits who watches.
        is_first_due: Whether the first line waits for nothing.
    """

    def __init__(self, every_s: float | None = None, *, is_first_due: bool = False) -> None:
        self._every_s = every_s if every_s is not None else TERMINAL_S if sys.stderr.isatty() else LOG_S
        self._said = -self._every_s if is_first_due else time.monotonic()

    def is_due(self, *, is_last: bool = False) -> bool:
        """Whether to say something now; who asks does say it then."""
        now = time.monotonic()
        if not is_last and now - self._said < self._every_s:
            return False
        self._said = now
        return True


class StepProgress:
    """Says every few seconds how far a training is.

    Args:
        steps: How many there are.
    """

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._started = time.monotonic()
        self._pace = Pace(REPORT_S)

    def __call__(self, done: int, loss: float) -> None:
        """Take note of a step."""
        if self._pace.is_due(is_last=done == self._steps):
            say(f"step {done} of {self._steps}: loss {loss:.4f}, {time.monotonic() - self._started:.0f} s")
