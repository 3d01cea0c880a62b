from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from infra.inspect import groups
from infra.inspect.rules import Rule, rules_of
from infra.inspect.sample import draw_sample
from infra.inspect.sql import open_views
from pipeline.dataset import Dataset


@pytest.fixture
def opened(selected: Dataset) -> Iterator[tuple[duckdb.DuckDBPyConnection, list[Rule]]]:
    with open_views(selected.manifest) as db:
        rules = rules_of(selected.describe(), db)
        draw_sample(db, rules)
        yield db, rules


def decisions(db: duckdb.DuckDBPyConnection) -> dict[str, str | None]:
    return dict(db.execute("SELECT clip_id, reason FROM selection").fetchall())


def test_kept_clips_are_kept(opened: Any) -> None:
    db, _ = opened
    found = groups.kept(db, number=10)
    assert found
    assert all(decisions(db)[some] is None for some in found)


def test_each_reason_has_its_own_clips_and_count(opened: Any, rules: dict[str, str]) -> None:
    db, _ = opened
    reasons = list(decisions(db).values())
    found = groups.dropped(db, number=3)
    assert {group.reason for group in found} == set(rules)
    for group in found:
        assert group.count == reasons.count(group.reason)
        assert len(group.clips) == min(3, group.count)
        assert {decisions(db)[some.clip_id] for some in group.clips} == {group.reason}


def test_border_cases_are_the_nearest_on_both_sides(opened: Any) -> None:
    db, parsed = opened
    values = dict(db.execute("SELECT clip_id, t_bright FROM scores_scan WHERE t_bright IS NOT NULL").fetchall())
    reasons = decisions(db)
    border = next(some for some in groups.borders(db, parsed, number=2) if some.rule == "bright")
    kept = sorted(v for some, v in values.items() if v >= 0.45 and reasons[some] is None)
    lost = sorted((v for some, v in values.items() if reasons[some] == "bright"), reverse=True)
    assert [some.value for some in border.inside] == kept[:2]
    assert [some.value for some in border.outside] == lost[:2]


def test_a_border_may_be_that_of_a_number_which_is_no_score(opened: Any, hostile: str) -> None:
    db, parsed = opened
    border = next(some for some in groups.borders(db, parsed, number=3) if some.rule == hostile)
    assert (border.column, border.op, border.limit) == ("num_frames", ">=", 60.0)
    assert {some.value < 60 for some in border.outside} == {True}


def test_a_review_of_a_border_takes_both_sides_in_turn(opened: Any) -> None:
    db, parsed = opened
    found = groups.nearest_to(db, parsed[0], number=6)
    reasons = decisions(db)
    assert len(set(found)) == 6
    assert [reasons[some] for some in found] == ["bright", None] * 3


def test_duplicates_come_in_pairs(opened: Any) -> None:
    db, _ = opened
    (pair,) = groups.pairs(db, number=4)
    assert (pair.method, pair.similarity, pair.offset_s) == ("perceptual", 0.97, 1.5)
    assert pair.clip_id != pair.duplicate_of


def test_the_least_alike_pairs_are_shown_and_an_even_draw_of_the_others(empty_dataset: Dataset) -> None:
    ids = [f"{k:032x}" for k in range(41)]
    empty_dataset.manifest.append("clips", [{"clip_id": some, "video_id": "v"} for some in ids])
    rows = [
        {"clip_id": some, "duplicate_of": ids[40], "method": "semantic", "similarity": 1 - k / 100}
        for k, some in enumerate(ids[:40])
    ]
    empty_dataset.manifest.append("duplicates", [*rows, {"clip_id": "gone", "duplicate_of": "gone too"}])
    with open_views(empty_dataset.manifest) as db:
        found = groups.pairs(db, number=8)
    assert [pair.clip_id for pair in found] == [ids[k] for k in (39, 38, 37, 36, 3, 2, 1, 0)]


def test_a_rule_with_two_limits_names_both(empty_dataset: Dataset) -> None:
    rows = [
        {"clip_id": f"{k:032x}", "kept": False, "reason": "text", "score_value": 0.5, "threshold": (0.1, 0.4)[k % 2]}
        for k in range(4)
    ]
    empty_dataset.manifest.append("selection", rows)
    with open_views(empty_dataset.manifest) as db:
        (group,) = groups.dropped(db, number=6)
    assert group.limits == [0.1, 0.4]


def test_before_any_selection_there_is_neither_kept_nor_dropped(dataset: Dataset) -> None:
    with open_views(dataset.manifest) as db:
        draw_sample(db, [])
        assert groups.kept(db, number=3) is None
        assert groups.dropped(db, number=3) == []
