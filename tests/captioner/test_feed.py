from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from captioner.engine import CaptionRequest
from captioner.feed import ReadyFeed
from schemas import ErrorKind, MediaError

pytestmark = pytest.mark.timeout(20)


def prepare(job: int) -> CaptionRequest:
    if job % 7 == 3:
        raise MediaError(ErrorKind.corrupt, f"job {job}")
    return CaptionRequest(request_id=str(job), prompt="")


def nobody(job: int, error: MediaError) -> None:
    raise AssertionError(f"{job}: {error}")


def taken(feed: ReadyFeed[int]) -> Iterator[str]:
    while (request := feed.take(wait=True)) is not None:
        yield request.request_id


@pytest.mark.parametrize("num_threads", [1, 4])
def test_every_job_comes_once_or_is_told_as_an_error(num_threads: int) -> None:
    errors: list[tuple[int, str, str]] = []
    here = threading.current_thread().name

    def note(job: int, error: MediaError) -> None:
        errors.append((job, str(error), threading.current_thread().name))

    feed = ReadyFeed(range(100), [prepare] * num_threads, note, ahead=3)
    assert sorted(taken(feed), key=int) == [str(k) for k in range(100) if k % 7 != 3]
    assert sorted(errors) == [(k, f"job {k}", here) for k in range(3, 100, 7)]
    assert feed.take(wait=True) is None
    assert feed.take(wait=False) is None
    feed.close()


def test_one_thread_keeps_the_order() -> None:
    feed = ReadyFeed(range(40), [lambda job: prepare(7 * job)], nobody)
    assert list(taken(feed)) == [str(7 * k) for k in range(40)]
    feed.close()


def test_who_does_not_wait_is_told_that_none_is_ready() -> None:
    go = threading.Event()

    def slow(job: int) -> CaptionRequest:
        go.wait()
        return prepare(job)

    feed = ReadyFeed(range(2), [slow], nobody)
    assert feed.take(wait=False) is None
    assert feed.num_empty == 0
    go.set()
    assert len(list(taken(feed))) == 2
    assert feed.num_empty > 0
    feed.close()


def test_no_more_is_prepared_ahead_than_asked() -> None:
    begun = []

    def count(job: int) -> CaptionRequest:
        begun.append(job)
        return prepare(0)

    feed = ReadyFeed(itertools.count(), [count] * 2, nobody, ahead=5)
    time.sleep(0.2)
    # As many as are held, and one in the hand of each thread.
    assert len(begun) == 7
    feed.close()


def bug(job: int) -> CaptionRequest:
    if job == 5:
        raise ZeroDivisionError("a bug")
    return prepare(0)


def broken_jobs() -> Iterator[int]:
    yield from range(5)
    raise ZeroDivisionError("a bug")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: ReadyFeed(range(90), [bug, bug], nobody, ahead=2), id="of a preparer"),
        pytest.param(lambda: ReadyFeed(broken_jobs(), [bug, bug], nobody, ahead=2), id="of what gives the jobs"),
    ],
)
def test_a_bug_reaches_who_takes(make: Callable[[], ReadyFeed[int]]) -> None:
    feed = make()
    with pytest.raises(ZeroDivisionError, match="a bug"):
        list(taken(feed))
    feed.close()


@pytest.mark.parametrize("taken_first", [0, 1, 5])
@pytest.mark.parametrize("ahead", [1, 32])
def test_closing_ends_the_threads_whatever_is_left(taken_first: int, ahead: int) -> None:
    feed = ReadyFeed(itertools.count(), [lambda job: prepare(0)] * 3, nobody, ahead=ahead)
    for _ in range(taken_first):
        assert feed.take(wait=True) is not None
    feed.close()
    feed.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "caption-reader"]


def test_closing_after_a_bug_in_every_thread_returns() -> None:
    feed = ReadyFeed(itertools.repeat(5), [bug] * 3, nobody, ahead=1)
    feed.close()


def test_no_jobs_are_the_end_at_once() -> None:
    feed = ReadyFeed([], [prepare, prepare], nobody)
    assert feed.take(wait=True) is None
    feed.close()
