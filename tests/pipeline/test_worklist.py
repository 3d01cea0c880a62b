from __future__ import annotations

import random
from typing import Any

from pipeline.ledger import UnitParts
from pipeline.worklist import Key, Worklist


def test_the_most_costly_come_first_and_each_once(word: Any) -> None:
    costs = [random.Random(0).random() for _ in range(1_000)]
    work = Worklist.of(word(f"{k}", cost_s=cost) for k, cost in enumerate(costs))
    assert [entry.cost_s for entry in work.entries()] == sorted(costs, reverse=True)
    assert len({entry.input_id for entry in work.entries()}) == len(work) == 1_000


def test_inputs_of_equal_cost_keep_their_order(word: Any) -> None:
    work = Worklist.of(word(f"{k}", cost_s=1.0) for k in range(600))
    assert [entry.input_id for entry in work.entries()] == [f"{k}" for k in range(600)]


def test_an_input_is_finished_once(word: Any) -> None:
    work = Worklist.of([word("a"), word("b"), word("a")])
    assert len(work) == 2
    assert [work.finish(name) for name in ("a", "a", "none")] == [True, False, False]
    assert [entry.input_id for entry in work.unfinished()] == ["b"]


def test_inputs_may_be_finished_while_the_rest_is_read(word: Any) -> None:
    work = Worklist.of(word(f"{k}") for k in range(1_000))
    assert sum(work.finish(entry.input_id) for entry in work.unfinished()) == 1_000


def test_what_the_ledger_needs_is_kept_beside_each_input(word: Any) -> None:
    parts = UnitParts(stage="scan", version=2, config="c" * 32, models="m" * 32, upstream="u" * 32)
    work = Worklist()
    work.add(word("a"), parts.key(is_stale=True))
    assert work.key("a") == Key(parts.unit_key, "code=2 config=cccccccc models=mmmmmmmm input=uuuuuuuu", is_stale=True)


def test_only_its_own_inputs_count_as_leftovers(word: Any) -> None:
    work = Worklist.of([word("a"), word("b")])
    work.note_leftovers("files", ["a", "x", "a"])
    assert work.leftovers("files", ["a", "b", "x"]) == ["a"]
    assert work.leftovers("videos", ["a"]) == []
