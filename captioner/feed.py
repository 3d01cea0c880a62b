"""Requests prepared by threads ahead of the engine, so that it does not wait for a decoder."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeAlias, TypeVar

from captioner.engine import CaptionRequest
from schemas import MediaError

Job = TypeVar("Job")
Prepare: TypeAlias = Callable[[Job], CaptionRequest]
Prepared: TypeAlias = tuple[Job, CaptionRequest | MediaError]
"""A job, and its request or why it has none."""


class ReadyFeed(Generic[Job]):
    """Jobs in, at any time and from any thread; their requests out.

    Args:
        prepares: One function for each thread.
        ahead: Requests that may be ready and not taken yet: pictures in memory.
    """

    def __init__(self, prepares: Sequence[Prepare[Job]], *, ahead: int = 32) -> None:
        self._ahead = ahead
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._ready: deque[Prepared[Job] | BaseException] = deque()
        self._num_preparing = 0
        self._is_closed = False
        self.waited_s = 0.0
        """How long those who take have waited for a request that was being prepared, in seconds."""
        self._threads = [
            threading.Thread(target=self._work, args=(prepare,), daemon=True, name="caption-reader")
            for prepare in prepares
        ]
        for thread in self._threads:
            thread.start()

    def put(self, jobs: Iterable[Job], *, first: bool = False) -> None:
        """Have jobs prepared.

        Args:
            jobs: In order.
            first: Before all others.
        """
        with self._changed:
            if first:
                self._jobs.extendleft(reversed(list(jobs)))
            else:
                self._jobs.extend(jobs)
            self._changed.notify_all()

    def wait(self) -> bool:
        """Wait until there is something to take or to prepare; False when the feed is closed instead."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._has_more())
            return not self._is_closed

    def take(self, *, wait: bool) -> Prepared[Job] | None:
        """What is ready, in the order in which it became so.

        Args:
            wait: Whether to wait for what is being prepared. None then means that there are no jobs left; else only
                that none is ready.

        Raises:
            BaseException: What a preparing function raised that is no `MediaError`.
        """
        with self._changed:
            if wait and not self._ready:
                began = time.monotonic()
                self._changed.wait_for(lambda: self._is_closed or self._ready or not self._has_more())
                self.waited_s += time.monotonic() - began
            if not self._ready:
                return None
            found = self._ready.popleft()
            self._changed.notify_all()
        if isinstance(found, BaseException):
            raise found
        return found

    def close(self) -> None:
        """Stop the threads; what is not taken is dropped."""
        with self._changed:
            self._is_closed = True
            self._jobs.clear()
            self._ready.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _has_more(self) -> bool:
        return bool(self._ready or self._jobs or self._num_preparing)

    def _may_prepare(self) -> bool:
        return bool(self._jobs) and len(self._ready) + self._num_preparing < self._ahead

    def _work(self, prepare: Prepare[Job]) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed or self._may_prepare())
                if self._is_closed:
                    return
                job = self._jobs.popleft()
                self._num_preparing += 1
            made: Prepared[Job] | BaseException
            try:
                made = (job, prepare(job))
            except MediaError as error:
                made = (job, error)
            except BaseException as error:  # noqa: BLE001 - raised again where it is taken
                made = error
            with self._changed:
                self._num_preparing -= 1
                if not self._is_closed:
                    self._ready.append(made)
                self._changed.notify_all()
