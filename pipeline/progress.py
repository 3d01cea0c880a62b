"""Tell a person how far a run is: a bar on a terminal, one line a minute elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from tqdm import tqdm

from schemas import Result

_LINE_EVERY_S = 60.0


class Progress:
    """How far one stage is.

    Args:
        stage: Its name.
        total: How many inputs it will do.
        out: Where to write, standard error by default.
    """

    def __init__(self, stage: str, total: int, out: TextIO | None = None) -> None:
        self._stage, self._total = stage, total
        self._out = out or sys.stderr
        self._started = self._last = time.monotonic()
        self._done = self._errors = self._frames = 0
        self._bar = (
            tqdm(total=total, desc=stage, unit="", file=self._out, dynamic_ncols=True, leave=True)
            if self._out.isatty()
            else None
        )

    def add(self, result: Result) -> None:
        """Count one result."""
        self._done += 1
        self._errors += result.error is not None
        self._frames += result.frames
        if self._bar is not None:
            self._bar.set_postfix_str(self._detail(), refresh=False)
            self._bar.update()
        elif time.monotonic() - self._last > _LINE_EVERY_S:
            self._last = time.monotonic()
            self._line()

    def close(self) -> None:
        """Leave the final state on the screen."""
        if self._bar is not None:
            self._bar.close()
        elif self._total:
            self._line()

    def _line(self) -> None:
        elapsed_s = time.monotonic() - self._started
        left_s = elapsed_s / max(self._done, 1) * (self._total - self._done)
        print(
            f"{self._stage}: {self._done} of {self._total}, {self._detail()}, {elapsed_s:.0f} s"
            + (f", about {left_s:.0f} s left" if self._done < self._total else ""),
            file=self._out,
            flush=True,
        )

    def _detail(self) -> str:
        rate = self._frames / max(time.monotonic() - self._started, 1e-3)
        frames = f", {rate:.0f} frames/s" if self._frames else ""
        return f"{self._errors} errors{frames}"
