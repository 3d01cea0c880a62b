"""Work prepared by threads ahead of the one that takes it, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

from schemas import MediaError

Tool = TypeVar("Tool")
Job = TypeVar("Job")
Made = TypeVar("Made")


def prefetched(
    tools: Sequence[Tool], jobs: Iterable[Job], make: Callable[[Tool, Job], Made]
) -> Iterator[tuple[Job, Made | MediaError]]:
    """What is made of each job, in their order; one for each tool is made ahead.

    Args:
        tools: At least one; each is used by one thread at a time.
        jobs: What to make.
        make: Its `MediaError` is given in place of what it makes.
    """
    free: SimpleQueue[Tool] = SimpleQueue()
    for tool in tools:
        free.put(tool)

    def work(job: Job) -> Made | MediaError:
        tool = free.get()
        try:
            return make(tool, job)
        except MediaError as error:
            return error
        finally:
            free.put(tool)

    waiting: deque[tuple[Job, Future[Made | MediaError]]] = deque()
    pool = ThreadPoolExecutor(len(tools), thread_name_prefix="prefetch")
    try:
        for job in jobs:
            waiting.append((job, pool.submit(work, job)))
            if len(waiting) > len(tools):
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(cancel_futures=True)
