from __future__ import annotations

import threading
from pathlib import Path

import pytest

from infra.sample_request import Asked, make_asked
from infra.studio.line import MAX_WAITING, Line, Order, Progress
from schemas import ConfigError


def order(name: str, *, draft: bool = False) -> Order:
    asked = Asked(prompt=f"p {name}", out=Path("o.mp4"))
    return Order(id=name, set_id=name, number=0, asked=asked, form={"mode": "text"}, draft=draft)


def standing(line: Line) -> list[tuple[str, str, int]]:
    return [(one["id"], one["state"], one["place"]) for one in line.to_json()["orders"]]


def test_orders_are_taken_as_they_came_and_know_their_place() -> None:
    line = Line()
    line.add([order("a"), order("b"), order("c")])
    first = line.first()
    assert first is not None
    assert standing(line) == [("a", "running", 0), ("b", "waiting", 1), ("c", "waiting", 2)]
    assert line.claim("c")
    assert not line.claim("c")
    line.finish("a")
    line.fail("c", "too large")
    assert standing(line) == [("a", "done", 0), ("b", "waiting", 1), ("c", "failed", 0)]
    assert line.to_json()["orders"][2]["message"] == "too large"


def test_what_waits_or_runs_can_be_cancelled_and_what_is_over_cannot() -> None:
    line = Line()
    line.add([order("a"), order("b"), order("c")])
    assert line.cancel("a")
    assert not line.cancel("a")
    assert not line.cancel("nobody")
    assert line.first() == order("b")
    assert line.runs("b")
    assert line.cancel("b")
    assert not line.runs("b")
    line.fail("b", "nobody wants to know")
    assert line.claim("c")
    line.finish("c")
    assert not line.cancel("c")
    assert standing(line) == [("a", "cancelled", 0), ("b", "cancelled", 0), ("c", "done", 0)]


def test_what_is_there_before_its_cancelling_is_heard_counts_as_done() -> None:
    line = Line()
    line.add([order("a")])
    line.first()
    line.cancel("a")
    line.finish("a")
    assert standing(line) == [("a", "done", 0)]


def test_a_closed_line_lets_go_of_whoever_waits_for_an_order() -> None:
    line, got = Line(), []
    waiting = threading.Thread(target=lambda: got.append(line.first()))
    waiting.start()
    line.close()
    waiting.join(20)
    assert got == [None]
    line.add([order("a")])
    assert line.first() is None


def test_an_order_wakes_whoever_waits_for_one() -> None:
    line, got = Line(), []
    waiting = threading.Thread(target=lambda: got.append(line.first()))
    waiting.start()
    line.add([order("a")])
    waiting.join(20)
    assert got == [order("a")]


def test_too_many_are_refused_and_none_of_them_is_taken() -> None:
    line = Line()
    line.add([order(str(k)) for k in range(MAX_WAITING - 1)])
    with pytest.raises(ConfigError, match=f"{MAX_WAITING - 1} wait already"):
        line.add([order("x"), order("y")])
    assert len(line.waiting()) == MAX_WAITING - 1


def test_what_is_over_is_forgotten_in_time_and_what_is_not_never() -> None:
    line = Line()
    line.add([order("stays")])
    for k in range(200):
        line.add([order(str(k))])
        assert line.cancel(str(k))
    names = [name for name, _, _ in standing(line)]
    assert names[0] == "stays"
    assert names[-1] == "199"
    assert len(names) < 100


def test_shots_without_a_subject_are_told_by_their_own_prompts() -> None:
    shots = [{"prompt": prompt, "seconds": 1} for prompt in ("it rolls", "it stands", "x" * 9999)]
    asked = make_asked({"prompt": "", "out": "o.mp4", "shots": shots}, "test")
    told = Order(id="a", set_id="a", number=0, asked=asked, form={"mode": "shots"}, draft=False).to_json()["prompt"]
    assert told.startswith("it rolls / it stands / xxx")
    assert len(told) == 400


def test_progress_is_of_what_runs() -> None:
    line = Line()
    line.add([order("a"), order("b")])
    assert line.to_json()["is_ready"] is False
    line.open()
    line.first()
    line.show(Progress(2, 8, 1, 0.25))
    assert line.to_json()["progress"] == {"step": 2, "steps": 8, "num": 1, "share": 0.25}
    assert line.to_json()["is_ready"] is True
    line.finish("a")
    line.first()
    assert line.to_json()["progress"] is None
