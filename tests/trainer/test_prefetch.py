from __future__ import annotations

import threading
import time

import pytest

from schemas import ErrorKind, MediaError
from trainer.prefetch import prefetched


def test_what_is_made_comes_in_order_and_errors_in_their_place() -> None:
    def make(tool: str, job: int) -> str:
        time.sleep(0.003 * (job % 3))
        if job == 4:
            raise MediaError(ErrorKind.corrupt, "four")
        return f"{job}"

    found = list(prefetched(["a", "b", "c"], range(9), make))
    assert [job for job, _ in found] == list(range(9))
    assert [made for _, made in found if isinstance(made, str)] == [str(k) for k in range(9) if k != 4]
    assert isinstance(found[4][1], MediaError)
    assert list(prefetched(["a"], [], make)) == []


def test_no_tool_is_used_by_two_threads_at_once() -> None:
    busy: set[str] = set()
    lock = threading.Lock()

    def make(tool: str, job: int) -> int:
        with lock:
            assert tool not in busy
            busy.add(tool)
        time.sleep(0.001)
        with lock:
            busy.remove(tool)
        return job

    assert len(list(prefetched(["a", "b"], range(50), make))) == 50


def test_a_bug_is_raised_and_ends_it() -> None:
    def make(tool: str, job: int) -> int:
        return 1 // (3 - job)

    with pytest.raises(ZeroDivisionError):
        list(prefetched(["a"], range(9), make))


def test_whoever_takes_no_more_leaves_no_thread_at_work() -> None:
    before = threading.active_count()
    taken = prefetched(["a", "b"], range(1000), lambda tool, job: job)
    assert next(taken)[1] == 0
    taken.close()
    assert threading.active_count() == before
