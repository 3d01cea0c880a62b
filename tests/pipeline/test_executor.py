from __future__ import annotations

import threading
from typing import Any

import pytest

from pipeline.executor import LocalExecutor
from pipeline.worklist import Worklist
from schemas import ConfigError, ErrorKind


def test_each_input_gives_exactly_one_result(words: list[Any], shout: Any) -> None:
    results = list(LocalExecutor(3).run(shout(), Worklist.of(words)))
    assert sorted(result.input_id for result in results) == sorted(word.input_id for word in words)
    assert all(result.error is None for result in results)


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        pytest.param("raise", ErrorKind.bug, "ZeroDivisionError: a bug", id="our bug keeps its traceback"),
        pytest.param("bad", ErrorKind.corrupt, "nothing decodes", id="a bad input keeps its kind"),
        pytest.param("forget", ErrorKind.bug, "gave no result", id="a forgotten input is a bug"),
    ],
)
def test_a_failing_input_costs_no_other_one(
    words: list[Any], word: Any, shout: Any, name: str, kind: ErrorKind, says: str
) -> None:
    results = {result.input_id: result for result in LocalExecutor(2).run(shout(), Worklist.of([*words, word(name)]))}
    assert len(results) == len(words) + 1
    failed = results.pop(name).error
    assert failed is not None
    assert (failed.kind, says in str(failed)) == (kind, True)
    assert all(result.error is None for result in results.values())


def test_no_input_gives_no_result(shout: Any) -> None:
    assert list(LocalExecutor(2).run(shout(), Worklist.of([]))) == []


def test_a_run_that_is_given_up_leaves_no_thread_behind(words: list[Any], shout: Any) -> None:
    before = threading.active_count()
    run = LocalExecutor(2).run(shout(), Worklist.of(words))
    next(run)
    run.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_a_stage_that_cannot_start_stops_the_run(words: list[Any], shout: Any) -> None:
    class Broken(shout):  # type: ignore[misc]
        def setup(self) -> None:
            raise FileNotFoundError("no weights")

    with pytest.raises(FileNotFoundError, match="no weights"):
        list(LocalExecutor(2).run(Broken(), Worklist.of(words)))


def test_more_cores_than_there_are_is_refused_with_both_numbers(shout: Any) -> None:
    with pytest.raises(ConfigError, match=r"shout asks for 64 CPUs a worker and the local executor has 2"):
        LocalExecutor(2).check([shout(cpus=64)])
