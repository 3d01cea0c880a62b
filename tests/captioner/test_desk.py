from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from captioner.desk import Desk
from captioner.engine import CaptionReply, CaptionRequest, Feed
from schemas import ConfigError, ErrorKind, MediaError

pytestmark = pytest.mark.timeout(30)


def prepare(job: str) -> CaptionRequest:
    if job.startswith("bad"):
        raise MediaError(ErrorKind.corrupt, job)
    return CaptionRequest(request_id=job, prompt=job)


class Stepping:
    """An engine that works in steps, as vLLM does, on at most so many requests; each takes some steps."""

    model_id, digest = "stepping", "0" * 32

    def __init__(self, room: int = 4, steps: Callable[[str], int] = lambda prompt: 2) -> None:
        self.room, self.steps = room, steps
        self.num_calls = 0
        self.calls: list[str] = []
        """Which thread did what."""
        self.in_work: list[list[str]] = []
        """By step."""

    def setup(self) -> None:
        self.calls.append(f"setup in {threading.current_thread().name}")

    def generate(self, feed: Feed) -> Iterator[CaptionReply]:
        self.num_calls += 1
        left: dict[str, int] = {}
        while True:
            while len(left) < self.room:
                request = feed.take(wait=not left)
                if request is None:
                    break
                left[request.request_id] = self.steps(request.prompt)
            if not left:
                return
            self.in_work.append(list(left))
            time.sleep(0.001)
            for name in list(left):
                left[name] -= 1
                if left[name] <= 0:
                    del left[name]
                    yield CaptionReply(request_id=name, text=f"said: {name}")

    def close(self) -> None:
        self.calls.append(f"close in {threading.current_thread().name}")


def texts(desk: Desk[str], jobs: list[str]) -> dict[str, str]:
    with desk.call() as call:
        call.ask(jobs)
        answers = list(call)
    assert sorted(job for job, _ in answers) == sorted(jobs)
    return {job: answer.text if isinstance(answer, CaptionReply) else str(answer) for job, answer in answers}


def test_each_job_is_answered_once_by_one_thread_that_also_sets_up() -> None:
    engine = Stepping()
    with closing(Desk(engine, [prepare] * 3)) as desk:
        jobs = [f"job {k}" for k in range(40)]
        assert texts(desk, jobs) == {job: f"said: {job}" for job in jobs}
        assert texts(desk, ["bad one", "good one"]) == {"bad one": "bad one", "good one": "said: good one"}
        assert texts(desk, []) == {}
    assert engine.calls == ["setup in caption-engine", "close in caption-engine"]
    assert max(map(len, engine.in_work)) == 4
    assert not [one for one in threading.enumerate() if one.name.startswith("caption-")]


def test_what_is_asked_meanwhile_joins_what_is_under_way() -> None:
    engine = Stepping(steps=lambda prompt: 300 if prompt == "long" else 1)
    with closing(Desk(engine, [prepare])) as desk, desk.call() as call:
        call.ask(["long", "short"])
        order = []
        for job, _ in call:
            order.append(job)
            if len(order) < 4:
                call.ask([f"again {len(order)}"], first=True)
        assert order == ["short", "again 1", "again 2", "again 3", "long"]
    assert engine.num_calls == 1


def test_callers_share_the_engine_and_get_their_own_answers() -> None:
    engine = Stepping(room=8, steps=lambda prompt: 20)
    with closing(Desk(engine, [prepare] * 2)) as desk, ThreadPoolExecutor(3) as threads:
        jobs = [[f"{caller}-{k}" for k in range(6)] for caller in "abc"]
        assert list(threads.map(lambda mine: texts(desk, mine), jobs)) == [
            {job: f"said: {job}" for job in mine} for mine in jobs
        ]
    assert any(len({name[0] for name in names}) > 1 for names in engine.in_work)


def test_one_who_leaves_gets_no_answers_and_costs_no_other_theirs() -> None:
    engine = Stepping(room=2)
    with closing(Desk(engine, [prepare])) as desk:
        with desk.call() as call:
            call.ask([f"old {k}" for k in range(100)])
            next(iter(call))
        assert texts(desk, ["new"]) == {"new": "said: new"}
    assert len({name for names in engine.in_work for name in names}) < 20


def test_a_bug_of_the_engine_reaches_all_who_wait_and_the_next_are_served() -> None:
    class Fragile(Stepping):
        def generate(self, feed: Feed) -> Iterator[CaptionReply]:
            for reply in super().generate(feed):
                if reply.request_id == "poison":
                    raise ZeroDivisionError("a bug")
                yield reply

    engine = Fragile(steps=lambda prompt: 30)
    with closing(Desk(engine, [prepare])) as desk, ThreadPoolExecutor(2) as threads:
        waiting = [threads.submit(texts, desk, jobs) for jobs in (["poison", "a"], ["b", "c"])]
        for one in waiting:
            with pytest.raises(ZeroDivisionError, match="a bug"):
                one.result()
        assert texts(desk, ["a", "b", "c"]) == {name: f"said: {name}" for name in "abc"}


def test_closing_does_not_wait_for_what_nobody_reads() -> None:
    engine = Stepping(steps=lambda prompt: 10**9)
    desk = Desk(engine, [prepare])
    call = desk.call()
    call.ask(["endless"])
    while not engine.in_work:
        time.sleep(0.001)
    began = time.monotonic()
    desk.close()
    assert time.monotonic() - began < 5
    assert engine.calls[-1] == "close in caption-engine"
    # And one who still waits is told.
    with pytest.raises(Exception, match="the desk is closed"):
        list(call)


def test_an_engine_that_cannot_be_set_up_says_so_where_the_desk_is_opened() -> None:
    class Missing(Stepping):
        def setup(self) -> None:
            raise ConfigError("there is no such folder")

    with pytest.raises(ConfigError, match="no such folder"):
        Desk(Missing(), [prepare])
    assert not [one for one in threading.enumerate() if one.name.startswith("caption-")]


def test_one_request_twice_at_once_is_a_bug() -> None:
    with closing(Desk(Stepping(), [prepare])) as desk, pytest.raises(AssertionError, match="asked twice"):
        texts(desk, ["same", "same"])
