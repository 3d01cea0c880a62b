"""One engine that several callers ask at once, so that it does not run empty between their batches."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Self, TypeAlias

from captioner.engine import CaptionEngine, CaptionReply, CaptionRequest
from captioner.feed import Job, Prepare, ReadyFeed
from schemas import MediaError

Answer: TypeAlias = CaptionReply | MediaError
"""What the engine says, or why it could not be asked."""


class _ClosedError(Exception):
    """The desk is closed; whatever the engine still does is of no use."""


class Call(Generic[Job]):
    """What one caller has asked, and the answers as they come; for use by one thread, in a `with` block.

    Args:
        desk: Where it asks.
    """

    def __init__(self, desk: Desk[Job]) -> None:
        self._desk = desk
        self._num_open = 0
        self.answers: queue.SimpleQueue[tuple[Job, Answer] | BaseException] = queue.SimpleQueue()
        self.is_over = False
        """Whether nobody waits for its answers any more."""

    def ask(self, jobs: Iterable[Job], *, first: bool = False) -> None:
        """Ask for jobs.

        Args:
            jobs: Each will be answered once.
            first: Before all that wait.
        """
        asked = [_Asked(self, job) for job in jobs]
        self._num_open += len(asked)
        self._desk.feed.put(asked, first=first)

    def __iter__(self) -> Iterator[tuple[Job, Answer]]:
        """Each job with its answer, in any order, until none is left; more may be asked meanwhile.

        Raises:
            BaseException: What ended the engine's work.
        """
        while self._num_open:
            found = self.answers.get()
            if isinstance(found, BaseException):
                raise found
            self._num_open -= 1
            yield found

    def __enter__(self) -> Self:
        """It is open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of what has not been answered."""
        self.is_over = True
        self._desk.forget(self)


@dataclass(frozen=True, slots=True, eq=False)
class _Asked(Generic[Job]):
    call: Call[Job]
    job: Job


class Desk(Generic[Job]):
    """The engine works in a thread of its own, on what all callers ask, as long as there is something.

    Args:
        engine: Is set up and closed here.
        prepares: Make a job's request; one for each thread that does so.
    """

    def __init__(self, engine: CaptionEngine, prepares: Sequence[Prepare[Job]]) -> None:
        self._engine = engine
        self.feed: ReadyFeed[_Asked[Job]] = ReadyFeed([_of_asked(prepare) for prepare in prepares])
        self._calls: set[Call[Job]] = set()
        self._lock = threading.Lock()
        self._under_way: dict[str, _Asked[Job]] = {}
        self._is_closed = False
        self._trouble: list[BaseException] = []
        self._is_set_up = threading.Event()
        # Callers come and go, and what several of them ask is worked on together: it can be in none of their threads.
        self._thread = threading.Thread(target=self._run, daemon=True, name="caption-engine")
        self._thread.start()
        self._is_set_up.wait()
        if self._trouble:
            self.close()
            raise self._trouble[0]

    def call(self) -> Call[Job]:
        """A new caller, with nothing asked yet."""
        made = Call(self)
        with self._lock:
            self._calls.add(made)
        return made

    def forget(self, call: Call[Job]) -> None:
        """A caller has gone."""
        with self._lock:
            self._calls.discard(call)

    def take(self, *, wait: bool) -> CaptionRequest | None:
        """The next request: the engine's side."""
        while True:
            found = self.feed.take(wait=wait)
            if self._is_closed:
                raise _ClosedError
            if found is None:
                return None
            asked, made = found
            if asked.call.is_over:
                continue
            if isinstance(made, MediaError):
                asked.call.answers.put((asked.job, made))
                continue
            assert made.request_id not in self._under_way, f"{made.request_id!r} is asked twice at once"
            self._under_way[made.request_id] = asked
            return made

    def close(self) -> None:
        """End the engine's work, and let it go."""
        self._is_closed = True
        self.feed.close()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._engine.setup()
        except BaseException as error:  # noqa: BLE001 - raised again where the desk is opened
            self._trouble.append(error)
        self._is_set_up.set()
        while not self._trouble and self.feed.wait():
            self._work()
        self._end_calls(_ClosedError("the desk is closed"))
        self._engine.close()

    def _work(self) -> None:
        """Have the engine answer until nothing more is asked."""
        replies = self._engine.generate(self)
        try:
            for reply in replies:
                # What comes back says whose it is; an answer to nothing we asked is our bug, or the engine's.
                asked = self._under_way.pop(reply.request_id, None)
                assert asked is not None, f"the engine answers {reply.request_id!r}, which was not asked"
                if not asked.call.is_over:
                    asked.call.answers.put((asked.job, reply))
            lost = next(iter(self._under_way), None)
            assert lost is None, f"the engine gave no answer for {lost}"
        except _ClosedError:
            return
        except BaseException as error:  # noqa: BLE001 - raised again by each caller
            self._under_way.clear()
            self._end_calls(error)
        finally:
            if isinstance(replies, Generator):
                # The error holds it, and it holds what the engine is still working on.
                replies.close()

    def _end_calls(self, error: BaseException) -> None:
        with self._lock:
            calls, self._calls = self._calls, set()
        for call in calls:
            call.is_over = True
            call.answers.put(error)


def _of_asked(prepare: Prepare[Job]) -> Prepare[_Asked[Job]]:
    def made(asked: _Asked[Job]) -> CaptionRequest:
        # Nobody reads it.
        return _NOTHING if asked.call.is_over else prepare(asked.job)

    return made


_NOTHING = CaptionRequest(request_id="", prompt="")
