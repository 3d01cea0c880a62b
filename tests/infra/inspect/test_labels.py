from __future__ import annotations

import pytest

from infra.inspect.labels import Judgement, judge, read_reasons, read_verdicts, verdicts
from infra.inspect.sql import open_views
from pipeline.dataset import Dataset


def test_precision_and_recall_of_each_rule_and_of_all_together() -> None:
    reasons = {"a": "dark", "b": "dark", "c": "text", "d": None, "e": None, "unlabelled": "dark"}
    good = {"a": False, "b": True, "c": False, "d": False, "e": True, "never selected": False}
    every, dark, text = judge(reasons, good)
    assert (every, dark, text) == (Judgement("", 2, 1, 3), Judgement("dark", 1, 1, 3), Judgement("text", 1, 0, 3))
    assert (every.precision, every.recall) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert (dark.precision, text.precision) == (0.5, 1.0)
    assert dark.recall == text.recall == pytest.approx(1 / 3)


def test_without_labels_nothing_is_known() -> None:
    (every,) = judge({"a": "dark"}, {})
    assert (every.precision, every.recall) == (None, None)


def test_most_reviewers_decide_and_where_they_are_even_nobody_does() -> None:
    labels = [("a", True), ("a", True), ("a", False), ("b", False), ("c", True), ("c", False)]
    assert verdicts(labels) == {"a": True, "b": False}


def test_tables_give_the_same(selected: Dataset) -> None:
    with open_views(selected.manifest) as db:
        good = read_verdicts(db)
        reasons = read_reasons(db, good)
        wrong = db.execute("SELECT count(*) FROM labels JOIN selection USING (clip_id) WHERE good AND NOT kept")
        num_good_dropped = wrong.fetchall()[0][0]
    assert len(good) == len(reasons) == 6
    assert judge(reasons, good)[0].num_good_dropped == num_good_dropped
