from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.dag import InputStep, Step
from pipeline.dataset import Dataset
from pipeline.executor import LocalExecutor
from pipeline.ledger import UnitParts
from pipeline.manifest import Manifest
from pipeline.plan import plan_step
from pipeline.runner import run_steps
from schemas import ConfigError, ErrorKind, MediaError, Result, digest


def step_of(stage: Any, items: Sequence[Any], config: str = "1") -> Step:
    def parts(item: Any) -> UnitParts:
        return UnitParts(stage="shout", version=1, config=digest(config), models="", upstream=item.input_id)

    return InputStep(stage=stage, inputs=lambda _: items, parts=parts)


def run(step: Step, root: Path, **more: Any) -> Any:
    dataset = Dataset(str(root))
    dataset.create()
    return run_steps([step], dataset, LocalExecutor(2), "run-1", **more).stages[0]


def uris(root: Path) -> list[str]:
    rows = Manifest(str(root)).read("files").to_pylist()
    return sorted(row["uri"] for row in rows if row["outcome"] == "ok")


def test_a_run_commits_every_row_and_a_second_one_has_nothing_to_do(
    tmp_path: Path, words: list[Any], shout: Any
) -> None:
    first, second = (run(step_of(shout(), words), tmp_path).items for _ in range(2))
    assert (first, second) == (len(words), 0)
    assert uris(tmp_path) == sorted(word.input_id for word in words)


def test_a_bad_input_gives_a_ledger_row_and_the_run_goes_on(
    tmp_path: Path, words: list[Any], word: Any, shout: Any
) -> None:
    report = run(step_of(shout(), [*words, word("bad")]), tmp_path)
    assert report.errors == {"corrupt": 1}
    ledger = {row["input_id"]: row for row in Manifest(str(tmp_path)).read("ledger").to_pylist()}
    assert (ledger["bad"]["outcome"], ledger["bad"]["error"]) == ("error", "nothing decodes")
    assert len(ledger) == len(words) + 1


def test_a_changed_config_makes_units_stale_and_their_rows_are_replaced(
    tmp_path: Path, words: list[Any], shout: Any
) -> None:
    run(step_of(shout(), words), tmp_path)
    changed = step_of(shout(), words, config="2")
    plan = plan_step(changed, [changed], Manifest(str(tmp_path)))
    assert (plan.num_done, plan.num_todo, dict(plan.stale)) == (0, 0, {"config changed": len(words)})
    run(changed, tmp_path)
    assert uris(tmp_path) == sorted(word.input_id for word in words)
    assert Manifest(str(tmp_path)).count("ledger") == len(words)


def test_rows_of_a_run_that_died_before_its_ledger_commit_are_not_there_twice(
    tmp_path: Path, words: list[Any], shout: Any
) -> None:
    Dataset(str(tmp_path)).create()
    Manifest(str(tmp_path)).append("files", [{"uri": "w3", "outcome": "half"}, {"uri": "w7", "outcome": "half"}])
    run(step_of(shout(), words), tmp_path)
    table = Manifest(str(tmp_path)).read("files")
    assert uris(tmp_path) == sorted(word.input_id for word in words)
    assert set(table["outcome"].to_pylist()) == {"ok"}


def test_an_error_that_comes_later_takes_the_rows_with_it(tmp_path: Path, word: Any, shout: Any) -> None:
    class Moody(shout):  # type: ignore[misc]
        def __call__(self, items: Sequence[Any]) -> Iterator[Result]:
            for item in items:
                yield Result(item.input_id, error=MediaError(ErrorKind.corrupt, "now broken"))

    run(step_of(shout(), [word("a"), word("b")]), tmp_path)
    run(step_of(Moody(), [word("a")], config="2"), tmp_path)
    assert uris(tmp_path) == ["b"]


def test_a_dataset_that_cannot_be_written_stops_the_run_in_one_sentence(
    tmp_path: Path, words: list[Any], shout: Any
) -> None:
    class Full(shout):  # type: ignore[misc]
        def __call__(self, items: Sequence[Any]) -> Iterator[Result]:
            for item in items:
                yield Result(item.input_id, error=MediaError(ErrorKind.storage, "no space left on the device"))

    with pytest.raises(ConfigError, match=r"no space left on the device$"):
        run(step_of(Full(), words), tmp_path)
    assert Manifest(str(tmp_path)).count("ledger") == 0


def test_what_many_commits_wrote_is_gathered_while_the_run_goes_on(
    tmp_path: Path, word: Any, shout: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.runner._COMMIT_RESULTS", 1)
    monkeypatch.setattr("pipeline.runner._GATHER_EVERY", 8)
    # As a run leaves them that is killed in its last moment.
    monkeypatch.setattr(Manifest, "tidy", lambda self: None)
    some = [word(f"w{k}") for k in range(20)]
    run(step_of(shout(), some), tmp_path)
    manifest = Manifest(str(tmp_path))
    assert uris(tmp_path) == sorted(one.input_id for one in some)
    assert manifest.count("ledger") == 20
    assert {len(manifest.files(table)) for table in ("files", "ledger")} == {1 + 20 % 8}
    assert run(step_of(shout(), some), tmp_path).items == 0
