from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.cli.main import main
from infra.inspect.what_if import WhatIf, what_if, what_if_text
from pipeline.dataset import Dataset
from pipeline.stages.select import SelectConfig, compute
from schemas import ConfigError

SHARPNESS = [0.0, 2.0, 4.0, 6.0, 8.0, None]
IDS = [(name * 32)[:32] for name in "abcdef"]
SELECT = {"preset": None, "rules": [{"name": "blurred", "keep": "sharpness >= 4"}]}


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Six clips of ten seconds, of which the rule drops two for their sharpness and one without."""
    made = Dataset(str(tmp_path / "ds"))
    made.create()
    made.write_description({"select": SELECT}, {})
    of = [{"clip_id": name, "video_id": "v"} for name in IDS]
    made.manifest.append("clips", [row | {"start_s": 0.0, "end_s": 10.0} for row in of])
    made.manifest.append("videos", [{"video_id": "v"}])
    scores = [row | {"sharpness": n, "luma_mean": 0.5} for row, n in zip(of, SHARPNESS, strict=True)]
    made.manifest.append("scores/scan", scores)
    compute(made, SelectConfig.model_validate(SELECT))
    return made


def changed(found: WhatIf) -> list[tuple[Any, ...]]:
    rows = [(one.before, one.after, one.count, one.seconds) for one in found.changes if one.before != one.after]
    return sorted(rows, key=str)


def test_a_stricter_rule_drops_more(dataset: Dataset) -> None:
    found = what_if(dataset, ["blurred=sharpness >= 7"])
    assert changed(found) == [(None, "blurred", 2, 20.0)]
    assert found.total(kept_before=True, kept_after=False) == (2, 20.0)
    assert found.total(kept_before=True, kept_after=True) == (1, 10.0)
    assert sorted(found.reasons()) == [("blurred", 2, 4), ("missing:sharpness", 1, 1)]


def test_a_looser_rule_keeps_more(dataset: Dataset) -> None:
    assert changed(what_if(dataset, ["blurred=sharpness >= 1"])) == [("blurred", None, 1, 10.0)]
    off = what_if(dataset, ["blurred=true"])
    assert off.total(kept_before=False, kept_after=True) == (3, 30.0)


def test_a_condition_alone_is_one_more_rule(dataset: Dataset) -> None:
    found = what_if(dataset, ["sharpness < 7"])
    assert changed(found) == [(None, "what_if", 1, 10.0)]
    assert found.rules == (("what_if", "sharpness < 7"),)
    assert changed(what_if(dataset, ["luma_mean=0.4"])) == [(None, "what_if", 3, 30.0)], "a column is compared"


def test_several_rules_are_tried_together(dataset: Dataset) -> None:
    found = what_if(dataset, ["blurred=sharpness >= 1", "sharp=sharpness < 7"])
    assert changed(found) == [("blurred", None, 1, 10.0), (None, "sharp", 1, 10.0)]


def test_the_clips_at_the_border_are_the_nearest_on_both_sides(dataset: Dataset) -> None:
    found = what_if(dataset, ["blurred=sharpness >= 5"])
    assert [(clip.clip_id[0], clip.value, clip.holds) for clip in found.border] == [
        ("e", 8.0, True),
        ("d", 6.0, True),
        ("c", 4.0, False),
        ("b", 2.0, False),
        ("a", 0.0, False),
    ]
    assert {clip.limit for clip in found.border} == {5.0}


def test_an_old_wide_table_gives_the_same_answer_and_is_told(dataset: Dataset) -> None:
    kept = what_if(dataset, ["blurred=sharpness >= 5"])
    dataset.manifest.append("scores/aesthetic", [{"clip_id": IDS[0], "video_id": "v", "aesthetic": 5.0}])
    joined = what_if(dataset, ["blurred=sharpness >= 5"])
    assert (kept.from_wide, joined.from_wide) == (True, False)
    assert (joined.changes, joined.border) == (kept.changes, kept.border)
    assert "older than the scores" in what_if_text(joined)
    assert "older than the scores" not in what_if_text(kept)


def test_what_if_changes_nothing(dataset: Dataset) -> None:
    def state() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in Path(dataset.root).rglob("*")}

    before = state()
    what_if(dataset, ["blurred=sharpness >= 5"])
    assert state() == before


def test_the_command_prints_tables_or_json(dataset: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", dataset.root, "--what-if", "blurred=sharpness >= 7"]) == 0
    text = capsys.readouterr().out
    assert "newly dropped       2   20.0 s" in text
    assert IDS[3] in text
    assert main(["inspect", dataset.root, "--what-if", "blurred=sharpness >= 7", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["newly_dropped"] == {"clips": 2, "seconds": 20.0}
    assert {"reason": "blurred", "before": 2, "after": 4} in told["reasons"]
    assert told["changes"] == [{"before": None, "after": "blurred", "count": 2, "seconds": 20.0}]


@pytest.mark.parametrize(
    ("tried", "told"),
    [
        ("sharpnes > 1", "did you mean 'sharpness'?"),
        ("1=1) OR (1=1", "no SQL"),
        ("blurred=DROP TABLE wide", "no SQL"),
        ("x=read_text('/etc/passwd') = 'a'", "read_text"),
        ("sharpness", "no condition"),
        ("", "no SQL"),
    ],
)
def test_a_mistake_is_one_sentence(dataset: Dataset, tried: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        what_if(dataset, [tried])
    assert told in str(caught.value)
    assert str(caught.value).startswith("--what-if")
    assert "\n" not in str(caught.value)
