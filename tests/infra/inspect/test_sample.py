from __future__ import annotations

import base64
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from infra.inspect.rules import rules_of
from infra.inspect.sample import draw_sample
from infra.inspect.sql import open_views
from pipeline.dataset import Dataset


def test_the_sample_holds_every_score_and_what_the_rules_ask_for(selected: Dataset) -> None:
    with open_views(selected.manifest) as db:
        rules = rules_of(selected.describe(), db)
        drawn = draw_sample(db, rules)
        stored = dict(db.execute("SELECT clip_id, t_bright FROM scores_scan").fetchall())
        ids = [row[0] for row in db.execute("SELECT clip_id FROM clips ORDER BY clip_id").fetchall()]
    assert (drawn.num_clips, drawn.num_all) == (len(ids), len(ids))
    expected = np.array([math.nan if stored[some] is None else stored[some] for some in ids], np.float32)
    np.testing.assert_array_equal(drawn.columns["t_bright"], expected)
    assert {"t_skewed", "num_frames"} <= set(drawn.columns)
    packed = base64.b64decode(drawn.to_json()["columns"]["t_bright"])
    np.testing.assert_array_equal(np.frombuffer(packed, "<f4"), expected)


def test_duckdb_says_what_the_page_cannot_compute(selected: Dataset) -> None:
    with open_views(selected.manifest) as db:
        rules = rules_of(selected.describe(), db)
        drawn = draw_sample(db, rules)
        wide = [row[0] for row in db.execute("SELECT width > height FROM clips ORDER BY clip_id").fetchall()]
    assert list(drawn.passes) == [3]
    assert drawn.passes[3].tolist() == [int(some) for some in wide]
    assert 0 < sum(wide) < len(wide)


def test_reasons_are_those_on_record(selected: Dataset) -> None:
    with open_views(selected.manifest) as db:
        drawn = draw_sample(db, [])
        stored = [row[0] for row in db.execute("SELECT reason FROM selection ORDER BY clip_id").fetchall()]
    assert [None if k == -1 else drawn.reasons[k] for k in drawn.reason] == stored


def test_a_rule_that_is_no_condition_is_not_known(selected: Dataset) -> None:
    with open_views(selected.manifest) as db:
        listed = {"select": {"rules": {"evil": "x IN (SELECT 1)", "unknown": "no_such_score > 1"}}}
        drawn = draw_sample(db, rules_of({"config": listed}, db))
    assert {k: set(values.tolist()) for k, values in drawn.passes.items()} == {0: {2}, 1: {2}}


def test_a_part_of_many_clips_is_even_and_no_more_than_asked_for(maker: Callable[[], Any]) -> None:
    made = maker()
    made.video("/many.mp4", [50] * 600, pictures=False)
    with open_views(made.write().manifest) as db:
        drawn = draw_sample(db, [], most=200)
        assert draw_sample(db, [], most=200).num_clips == drawn.num_clips
    assert drawn.num_all == 600
    assert 140 < drawn.num_clips <= 200
    assert abs(float(np.nanmean(drawn.columns["t_count"])) - 2.5) < 0.5


def test_nothing_gives_an_empty_sample(empty_dataset: Dataset) -> None:
    with open_views(empty_dataset.manifest) as db:
        drawn = draw_sample(db, [])
    assert (drawn.num_clips, drawn.num_all, drawn.reasons) == (0, 0, ())
