from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from captioner.engine import CaptionRequest
from captioner.feed import ReadyFeed
from schemas import ErrorKind, MediaError

pytestmark = pytest.mark.timeout(20)


def prepare(job: int) -> CaptionRequest:
    if job % 7 == 3:
        raise MediaError(ErrorKind.corrupt, f"job {job}")
    return CaptionRequest(request_id=str(job), prompt="")


def taken(feed: ReadyFeed[int]) -> Iterator[tuple[int, str]]:
    while (found := feed.take(wait=True)) is not None:
        job, made = found
        yield job, made.request_id if isinstance(made, CaptionRequest) else f"{made.kind}: {made}"


@pytest.mark.parametrize("num_threads", [1, 4])
def test_every_job_comes_once_with_its_request_or_its_error(num_threads: int) -> None:
    with closing(ReadyFeed([prepare] * num_threads, ahead=3)) as feed:
        feed.put(range(100))
        assert sorted(taken(feed)) == [(k, str(k) if k % 7 != 3 else f"corrupt: job {k}") for k in range(100)]
        assert feed.take(wait=True) is None
        assert feed.take(wait=False) is None


def test_one_thread_keeps_the_order_and_what_is_put_first_overtakes() -> None:
    go = threading.Event()

    def gated(job: int) -> CaptionRequest:
        go.wait()
        return prepare(job)

    with closing(ReadyFeed([gated])) as feed:
        feed.put([0, 7, 14])
        # One is in hand by now.
        time.sleep(0.05)
        feed.put([21, 28], first=True)
        feed.put([35])
        go.set()
        assert [job for job, _ in taken(feed)] == [0, 21, 28, 7, 14, 35]


def test_a_job_may_come_after_there_were_none_left() -> None:
    with closing(ReadyFeed([prepare])) as feed:
        feed.put([0])
        assert list(taken(feed)) == [(0, "0")]
        feed.put([7])
        assert list(taken(feed)) == [(7, "7")]


def test_who_does_not_wait_is_told_that_none_is_ready() -> None:
    go = threading.Event()

    def slow(job: int) -> CaptionRequest:
        go.wait()
        time.sleep(0.02)
        return prepare(job)

    with closing(ReadyFeed([slow])) as feed:
        feed.put([0, 1])
        assert feed.take(wait=False) is None
        assert feed.waited_s == 0
        go.set()
        assert len(list(taken(feed))) == 2
        assert 0.03 < feed.waited_s < 10


def test_no_more_is_prepared_ahead_than_asked() -> None:
    begun = []

    def count(job: int) -> CaptionRequest:
        begun.append(job)
        return prepare(0)

    with closing(ReadyFeed([count] * 2, ahead=5)) as feed:
        feed.put(range(100))
        time.sleep(0.1)
        assert len(begun) == 5
        assert feed.take(wait=True) is not None
        time.sleep(0.1)
        assert len(begun) == 6


def test_a_bug_reaches_who_takes_and_costs_one_job() -> None:
    def bug(job: int) -> CaptionRequest:
        if job == 5:
            raise ZeroDivisionError("a bug")
        return prepare(0)

    with closing(ReadyFeed([bug, bug], ahead=2)) as feed:
        feed.put(range(9))
        with pytest.raises(ZeroDivisionError, match="a bug"):
            list(taken(feed))
        assert len(list(taken(feed))) <= 8
        feed.put([0])
        assert list(taken(feed)) == [(0, "0")]


@pytest.mark.parametrize("taken_first", [0, 1, 5])
@pytest.mark.parametrize("ahead", [1, 32])
def test_closing_ends_the_threads_whatever_is_left(taken_first: int, ahead: int) -> None:
    feed = ReadyFeed([prepare] * 3, ahead=ahead)
    feed.put(itertools.chain([0] * 1000))
    for _ in range(taken_first):
        assert feed.take(wait=True) is not None
    feed.close()
    feed.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "caption-reader"]
    assert feed.take(wait=True) is None
    assert not feed.wait()


@pytest.mark.parametrize("is_closed", [False, True])
def test_one_who_waits_for_work_is_woken_by_a_job_and_by_the_end(is_closed: bool) -> None:
    feed = ReadyFeed([prepare])
    said: list[bool] = []
    waiting = threading.Thread(target=lambda: said.append(feed.wait()))
    waiting.start()
    time.sleep(0.05)
    assert waiting.is_alive()
    if is_closed:
        feed.close()
    else:
        feed.put([0])
    waiting.join(10)
    assert said == [not is_closed]
    feed.close()


def test_one_who_waits_for_what_is_being_prepared_is_woken_by_the_end() -> None:
    go = threading.Event()

    def slow(job: int) -> CaptionRequest:
        go.wait()
        return prepare(job)

    feed = ReadyFeed([slow])
    feed.put([0])
    said: list[object] = []
    waiting = threading.Thread(target=lambda: said.append(feed.take(wait=True)))
    waiting.start()
    time.sleep(0.05)
    assert waiting.is_alive()
    closing_one = threading.Thread(target=feed.close)
    closing_one.start()
    waiting.join(10)
    go.set()
    closing_one.join(10)
    assert said == [None]
