from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from infra.inspect.funnel import Step, funnel, funnel_json, funnel_text
from infra.inspect.labels import judgements
from infra.inspect.sql import open_views
from pipeline.dataset import Dataset


@pytest.fixture
def steps(dataset: Dataset) -> dict[str, Step]:
    with open_views(dataset.manifest) as db:
        return {step.name: step for step in funnel(db)}


def test_every_file_is_counted_once(steps: dict[str, Step]) -> None:
    met = steps["files met"]
    assert met.count == 10
    assert {loss.reason: loss.count for loss in met.losses} == {
        "error: corrupt": 1,
        "error: empty": 1,
        "ignored": 2,
    }
    assert steps["readable videos"].count == met.count - 4
    assert [(loss.reason, loss.count) for loss in steps["readable videos"].losses] == [("copies of another file", 1)]
    assert steps["distinct videos"].count == 5
    assert [(loss.reason, loss.count) for loss in steps["distinct videos"].losses] == [("error: timeout", 1)]
    assert steps["scanned videos"].count == 4


def test_footage_is_conserved_from_step_to_step(steps: dict[str, Step]) -> None:
    order = ["readable videos", "distinct videos", "scanned videos", "shots", "clips"]
    for before, after in itertools.pairwise(order):
        lost = sum(loss.seconds or 0.0 for loss in steps[before].losses)
        assert steps[before].seconds - lost == pytest.approx(steps[after].seconds), (before, after)
    assert steps["scanned videos"].seconds == pytest.approx((220 + 250 + 60 + 75) / 25)
    assert steps["clips"].seconds == pytest.approx((100 + 60 + 250 + 75) / 25)


def test_shots_without_a_clip_are_told(steps: dict[str, Step]) -> None:
    assert (steps["shots"].count, steps["clips"].count) == (7, 4)
    lost = steps["shots"].losses[0]
    assert (lost.count, lost.seconds) == (3, None)


def test_shares_are_of_the_distinct_videos(steps: dict[str, Step]) -> None:
    assert steps["distinct videos"].share == 1.0
    assert steps["clips"].share == pytest.approx(485 / (605 + 200))
    assert steps["files met"].share is None


def test_a_video_that_no_scan_has_met_yet_is_told(empty_dataset: Dataset) -> None:
    claimed = json.dumps({"duration_s": 12.5})
    row = {"uri": "a", "video_id": "v", "outcome": "ok", "probe": claimed}
    empty_dataset.manifest.append("files", [row, {"uri": "b", "video_id": "w", "outcome": "ok", "probe": "{broken"}])
    with open_views(empty_dataset.manifest) as db:
        found = {step.name: step for step in funnel(db)}
    lost = found["distinct videos"].losses
    assert [(loss.reason, loss.count, loss.seconds) for loss in lost] == [("not scanned yet", 2, 12.5)]


def test_nothing_at_all_is_a_funnel_of_zeros(empty_dataset: Dataset) -> None:
    with open_views(empty_dataset.manifest) as db:
        found = funnel(db)
    assert {step.count for step in found} == {0}
    assert not any(step.losses for step in found)
    assert len(funnel_text(found).splitlines()) == 1 + len(found)


def test_the_table_has_a_line_a_step_and_a_line_a_loss(steps: dict[str, Step]) -> None:
    text = funnel_text(steps.values())
    assert len(text.splitlines()) == 1 + sum(1 + len(step.losses) for step in steps.values())
    assert json.loads(json.dumps(funnel_json(steps.values())))[-1]["name"] == "clips"


def test_reasons_tell_how_right_they_are_by_the_labels(selected: Dataset) -> None:
    with open_views(selected.manifest) as db:
        judged = judgements(db)
        steps = funnel(db, judged)
        rows = db.execute(
            "SELECT reason, count(*) FILTER (NOT good), count(*) FROM labels JOIN selection USING (clip_id) "
            "WHERE NOT kept GROUP BY ALL"
        ).fetchall()
        (num_bad,) = db.execute("SELECT count(*) FROM labels WHERE NOT good").fetchall()[0]
    assert rows
    losses = {loss.reason: loss.judged for step in steps for loss in step.losses}
    told = {loss["reason"]: loss["judged"] for step in funnel_json(steps) for loss in step["losses"]}
    text = funnel_text(steps, judged[""])
    for reason, bad, dropped in rows:
        assert losses[reason] is not None
        assert (told[reason]["precision"], told[reason]["recall"]) == (bad / dropped, bad / num_bad)
        assert f"({bad}/{dropped})" in text
        assert f"({bad}/{num_bad})" in text
    assert "all reasons" in text
    assert "precision: of the labelled clips that a rule drops" in text
    assert all(character.isprintable() or character == "\n" for character in text)


def test_without_labels_nothing_is_said_of_how_right_a_rule_is(steps: dict[str, Step]) -> None:
    assert "precision" not in funnel_text(steps.values())


def test_a_selection_adds_its_reasons_and_what_it_keeps(maker: Callable[[], Any]) -> None:
    made = maker()
    made.video("/footage/a.mp4", [100, 100, 100])
    clips = made.rows["clips"]
    verdicts = [(True, None), (False, "blurred"), (False, "missing:aesthetic")]
    for clip, (kept, reason) in zip(clips, verdicts, strict=True):
        ids = {name: clip[name] for name in ("clip_id", "video_id")}
        made.add("selection", **ids, kept=kept, reason=reason, duration_s=4.0)
    made.add("buckets", clip_id=clips[0]["clip_id"], video_id=clips[0]["video_id"], frames=97)
    with open_views(made.write().manifest) as db:
        found = {step.name: step for step in funnel(db)}
    assert list(found)[-3:] == ["clips", "kept clips", "bucketed clips"]
    assert [(loss.reason, loss.count, loss.seconds) for loss in found["clips"].losses] == [
        ("blurred", 1, 4.0),
        ("missing:aesthetic", 1, 4.0),
    ]
    assert (found["kept clips"].count, found["kept clips"].seconds) == (1, 4.0)
    assert (found["bucketed clips"].count, found["bucketed clips"].seconds) == (1, 4.0)
