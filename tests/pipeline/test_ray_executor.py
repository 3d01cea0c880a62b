from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.ray_executor import RayExecutor, _blocks
from pipeline.worklist import Worklist
from schemas import ConfigError, ErrorKind


@pytest.fixture(scope="module")
def ray_here() -> Iterator[RayExecutor]:
    executor = RayExecutor(cpus=2)
    yield executor
    executor.close()


def test_each_input_gives_exactly_one_result(ray_here: RayExecutor, words: list[Any], shout: Any) -> None:
    results = list(ray_here.run(shout(), Worklist.of(words)))
    assert sorted(result.input_id for result in results) == sorted(word.input_id for word in words)
    assert results[0].rows["files"][0]["outcome"] == "ok"


def test_an_input_that_kills_its_worker_twice_becomes_a_row_and_costs_no_other_one(
    ray_here: RayExecutor, words: list[Any], word: Any, shout: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    given = [*words, word("die"), word("raise"), word("bad")]
    results = {result.input_id: result for result in ray_here.run(shout(), Worklist.of(given))}
    kinds = {name: result.error.kind for name, result in results.items() if result.error is not None}
    assert kinds == {"die": ErrorKind.worker_crash, "raise": ErrorKind.bug, "bad": ErrorKind.corrupt}
    assert len(results) == len(given)
    assert capfd.readouterr() == ("", "")


def test_more_cores_than_the_cluster_has_is_refused_with_both_numbers(ray_here: RayExecutor, shout: Any) -> None:
    with pytest.raises(ConfigError, match="shout asks for 64 CPUs a worker and the Ray cluster has 2"):
        ray_here.check([shout(cpus=64)])


@pytest.mark.parametrize(
    ("num_items", "sizes"),
    [
        pytest.param(3, {1}, id="few inputs each to a worker"),
        pytest.param(5_000, {64, 8}, id="many small ones in blocks of 64"),
    ],
)
def test_blocks_hold_every_input_once(word: Any, num_items: int, sizes: set[int]) -> None:
    blocks = list(_blocks(Worklist.of(word(f"{k}") for k in range(num_items)), num_workers=2))
    assert {len(block) for block in blocks} == sizes
    assert sum(len(block) for block in blocks) == num_items


def test_long_inputs_get_a_block_of_their_own(word: Any) -> None:
    items = [word(f"long{k}", cost_s=40.0) for k in range(3)] + [word(f"{k}") for k in range(1_000)]
    blocks = list(_blocks(Worklist.of(items), num_workers=2))
    assert [len(block) for block in blocks[:3]] == [1, 1, 1]
