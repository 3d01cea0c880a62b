"""Requests prepared by threads ahead of the engine, so that it does not wait for a decoder."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from captioner.engine import CaptionRequest
from schemas import MediaError

Job = TypeVar("Job")
Prepare = Callable[[Job], CaptionRequest]


@dataclass(slots=True)
class _End:
    """One thread has nothing more to do; what it died of, if it did."""

    error: BaseException | None = None


class ReadyFeed(Generic[Job]):
    """A feed of requests that several threads prepare.

    Args:
        jobs: What to prepare, in order.
        prepares: One function for each thread; a `MediaError` of it goes to `on_error`.
        on_error: Told of a job that cannot be prepared, in the engine's thread.
        ahead: Requests that may be ready and not taken yet: pictures in memory.
    """

    def __init__(
        self,
        jobs: Iterable[Job],
        prepares: Sequence[Prepare[Job]],
        on_error: Callable[[Job, MediaError], None],
        *,
        ahead: int = 32,
    ) -> None:
        self._jobs: Iterator[Job] = iter(jobs)
        self._lock = threading.Lock()
        self._on_error = on_error
        self._stop = threading.Event()
        self._ready: queue.Queue[CaptionRequest | tuple[Job, MediaError] | _End] = queue.Queue(ahead)
        self._threads = [
            threading.Thread(target=self._work, args=(prepare,), daemon=True, name="caption-reader")
            for prepare in prepares
        ]
        self._left = len(self._threads)
        self.num_empty = 0
        """How often the engine had to wait."""
        for thread in self._threads:
            thread.start()

    def take(self, *, wait: bool) -> CaptionRequest | None:
        """The next request that is ready."""
        while self._left:
            try:
                found = self._ready.get(block=False)
            except queue.Empty:
                if not wait:
                    return None
                self.num_empty += 1
                found = self._ready.get()
            if isinstance(found, _End):
                self._left -= 1
                if found.error is not None:
                    raise found.error
            elif isinstance(found, CaptionRequest):
                return found
            else:
                self._on_error(*found)
        return None

    def close(self) -> None:
        """Stop the threads; what is ready and not taken is dropped."""
        self._stop.set()
        while any(thread.is_alive() for thread in self._threads):
            try:
                self._ready.get(timeout=0.05)
            except queue.Empty:
                continue

    def _work(self, prepare: Prepare[Job]) -> None:
        end = _End()
        try:
            while not self._stop.is_set():
                with self._lock:
                    job = next(self._jobs, None)
                if job is None:
                    break
                try:
                    self._ready.put(prepare(job))
                except MediaError as error:
                    self._ready.put((job, error))
        except BaseException as error:  # noqa: BLE001 - raised again in the engine's thread
            end.error = error
        self._ready.put(end)
