"""Steps over whole tables, steps that are not configured, and how they follow what they build on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.dag import InputStep, Step, TableStep
from pipeline.dataset import Dataset
from pipeline.executor import LocalExecutor
from pipeline.ledger import UnitParts
from pipeline.plan import plan_step
from pipeline.runner import RunReport, run_steps
from schemas import digest


def words_step(stage: Any, items: Sequence[Any], config: str = "1", missing: str = "") -> InputStep:
    def parts(item: Any) -> UnitParts:
        return UnitParts(stage="shout", version=1, config=digest(config), models="", upstream=item.input_id)

    return InputStep(stage=stage, inputs=lambda _: items, parts=parts, missing=missing)


def count_step(config: str = "1", name: str = "count") -> TableStep:
    """Writes how many files there are into `selection`, as one row."""

    def compute(dataset: Dataset) -> None:
        rows = pa.table({"clip_id": ["all"], "score_value": [float(dataset.manifest.count("files"))]})
        dataset.manifest.overwrite("selection", rows)

    return TableStep(
        name=name,
        version=1,
        reads={"files": ("uri",)},
        writes=("selection",),
        compute=compute,
        config=digest(config),
    )


def run(steps: Sequence[Step], root: Path) -> RunReport:
    dataset = Dataset(str(root))
    dataset.create()
    return run_steps(steps, dataset, LocalExecutor(2), "run-1")


def counted(root: Path) -> list[object]:
    return Dataset(str(root)).manifest.read("selection", ["score_value"])["score_value"].to_pylist()


def test_a_step_over_tables_is_done_once_and_again_when_what_it_reads_changes(
    tmp_path: Path, words: list[Any], word: Any, shout: Any
) -> None:
    for items, done in ((words, 1), (words, 0), ([*words, word("new")], 1)):
        report = run([words_step(shout(), items), count_step()], tmp_path)
        assert [stage.items for stage in report.stages][1] == done
        assert counted(tmp_path) == [len(items)]


def test_a_unit_that_succeeds_at_its_second_try_reaches_the_step_after_it(
    tmp_path: Path, words: list[Any], word: Any, shout: Any
) -> None:
    manifest = Dataset(str(tmp_path)).manifest
    run([words_step(shout(), [*words, word("bad")]), count_step()], tmp_path)

    rows = manifest.read("ledger").to_pylist()
    (bad,) = [row for row in rows if row["input_id"] == "bad"]
    manifest.replace("ledger", [bad | {"outcome": "ok", "error_kind": None}], ["bad"], among=("stage", "shout"))
    steps = [words_step(shout(), [*words, word("bad")]), count_step()]
    assert dict(plan_step(steps[1], steps, manifest).stale) == {"input changed": 1}


def test_another_config_makes_it_stale_and_says_why(tmp_path: Path, words: list[Any], shout: Any) -> None:
    run([words_step(shout(), words), count_step()], tmp_path)
    steps = [words_step(shout(), words), count_step(config="2")]
    assert dict(plan_step(steps[1], steps, Dataset(str(tmp_path)).manifest).stale) == {"config changed": 1}


def test_what_is_not_configured_is_passed_over_where_nothing_reads_it(
    tmp_path: Path, words: list[Any], shout: Any
) -> None:
    unread = words_step(shout(), words, missing="needs weights")
    alone = TableStep(name="alone", version=1, reads={}, writes=(), compute=lambda _: None, config="")
    report = run([unread, alone], tmp_path)
    assert (report.not_configured, report.stopped) == ({"shout": "needs weights"}, "")
    assert [stage.name for stage in report.stages] == ["alone"]


def test_a_run_ends_before_the_step_that_reads_what_is_not_configured(
    tmp_path: Path, words: list[Any], shout: Any
) -> None:
    report = run([words_step(shout(), words, missing="needs weights"), count_step()], tmp_path)
    assert report.stages == []
    assert report.stopped == "count was not done: it reads what is not configured: shout (needs weights)"
    assert counted(tmp_path) == []


@pytest.mark.parametrize("dies_before", ["rows", "ledger"])
def test_a_step_over_tables_that_died_is_done_again(
    tmp_path: Path, words: list[Any], shout: Any, dies_before: str
) -> None:
    first = words_step(shout(), words)
    good = count_step()

    def die(dataset: Dataset) -> None:
        if dies_before == "ledger":
            good.compute(dataset)
        raise KeyboardInterrupt

    broken = TableStep(name=good.name, version=1, reads=good.reads, writes=good.writes, compute=die, config=good.config)
    with pytest.raises(KeyboardInterrupt):
        run([first, broken], tmp_path)
    assert [stage.items for stage in run([first, good], tmp_path).stages] == [0, 1]
    assert counted(tmp_path) == [len(words)]
