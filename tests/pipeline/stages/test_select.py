from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.dataset import Dataset
from pipeline.stages.select import SelectConfig, compute, required_tables
from schemas import TABLES, ConfigError, load_config

IDS = [(name * 32)[:32] for name in "abcdef"]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Six clips: sharpness 0 to 5, the last one without; the fourth is a copy of the third; two are aesthetic."""
    dataset = Dataset(str(tmp_path / "ds"))
    dataset.create()
    put = dataset.manifest.append
    clips = [
        {"clip_id": name, "video_id": f"v{index % 2}", "start_s": 0.0, "end_s": 4.0} for index, name in enumerate(IDS)
    ]
    put("clips", clips)
    put("videos", [{"video_id": name, "is_image": False} for name in ("v0", "v1")])
    sharpness = [0.0, 1.0, 2.0, 3.0, 4.0, math.nan]
    put("scores/scan", [row_of(clip) | {"sharpness": n} for clip, n in zip(clips, sharpness, strict=True)])
    put("scores/aesthetic", [row_of(clip) | {"aesthetic": 6.0} for clip in clips[:5]])
    put("duplicates", [row_of(clips[3]) | {"duplicate_of": IDS[2], "method": "exact"}])
    return dataset


def row_of(clip: dict[str, Any]) -> dict[str, Any]:
    return {name: clip[name] for name in ("clip_id", "video_id")}


def config(*rules: tuple[str, str], **more: Any) -> SelectConfig:
    named = [{"name": name, "keep": keep} for name, keep in rules]
    return SelectConfig.model_validate({"preset": None, "rules": named, **more})


def verdicts(dataset: Dataset) -> dict[str, tuple[Any, ...]]:
    columns = ("kept", "reason", "score_value", "threshold")
    rows = dataset.manifest.read("selection").to_pylist()
    return {row["clip_id"][0]: tuple(row[name] for name in columns) for row in rows}


RULES = (("blurred", "sharpness >= 2"), ("duplicate", "duplicate_of IS NULL"))


def test_every_clip_has_exactly_one_row_with_its_reason(dataset: Dataset) -> None:
    compute(dataset, config(*RULES))
    assert verdicts(dataset) == {
        "a": (False, "blurred", 0.0, 2.0),
        "b": (False, "blurred", 1.0, 2.0),
        "c": (True, None, None, None),
        "d": (False, "duplicate", None, None),
        "e": (True, None, None, None),
        "f": (False, "missing:sharpness", None, None),
    }
    assert dataset.manifest.count("selection") == dataset.manifest.count("clips")
    found = dataset.manifest.read("selection")
    assert found.schema == TABLES["selection"].schema
    assert found["weight"].to_pylist() == [1.0 if kept else 0.0 for kept in found["kept"].to_pylist()]
    assert len(set(found["rule_digest"].to_pylist())) == 1


def test_other_rules_replace_the_rows_and_leave_the_wide_table(dataset: Dataset) -> None:
    compute(dataset, config(*RULES))
    files, old = dataset.manifest.files("wide"), dataset.manifest.read("selection")["rule_digest"][0]
    compute(dataset, config(("blurred", "sharpness >= 3")))
    assert dataset.manifest.files("wide") == files
    assert [name for name, row in verdicts(dataset).items() if row[0]] == ["d", "e"]
    assert dataset.manifest.read("selection")["rule_digest"][0] != old


def test_a_new_score_reaches_the_next_selection(dataset: Dataset) -> None:
    compute(dataset, config(*RULES))
    rows = [row_of({"clip_id": IDS[k], "video_id": f"v{k % 2}"}) | {"sharpness": 9.0} for k in range(6)]
    for video in ("v0", "v1"):
        dataset.manifest.replace("scores/scan", [row for row in rows if row["video_id"] == video], [video])
    compute(dataset, config(*RULES))
    assert {name for name, row in verdicts(dataset).items() if not row[0]} == {"d"}


def test_the_same_tables_give_the_same_rows(dataset: Dataset) -> None:
    compute(dataset, config(*RULES))
    first = sorted(map(str, dataset.manifest.read("selection").to_pylist()))
    compute(dataset, config(*RULES))
    assert sorted(map(str, dataset.manifest.read("selection").to_pylist())) == first


def test_without_rules_every_clip_is_kept(dataset: Dataset) -> None:
    compute(dataset, config())
    assert all(row[0] for row in verdicts(dataset).values())


def test_a_dataset_without_clips_is_selected_too(tmp_path: Path) -> None:
    dataset = Dataset(str(tmp_path / "none"))
    compute(dataset, SelectConfig())
    assert dataset.manifest.count("selection") == 0


def test_balance_drops_what_there_is_most_of(dataset: Dataset) -> None:
    vectors = np.eye(4, dtype=np.float32)[[0, 0, 0, 0, 1, 1]].tolist()
    rows = [{"clip_id": name, "video_id": f"v{k % 2}", "embedding": vectors[k]} for k, name in enumerate(IDS)]
    dataset.manifest.append("scores/embedding", rows)
    capped = {"method": "cap", "num_clusters": 2, "cap": 1, "best_by": "sharpness"}
    compute(dataset, config(("duplicate", "duplicate_of IS NULL"), balance=capped))
    found = {name: row[:2] for name, row in verdicts(dataset).items()}
    assert found == {
        "a": (False, "balance"),
        "b": (False, "balance"),
        "c": (True, None),
        "d": (False, "duplicate"),
        "e": (True, None),
        "f": (False, "balance"),
    }


def test_the_tables_that_rules_ask_for_are_required() -> None:
    assert required_tables(config()) == ("videos", "clips", "scores/scan")
    asked = config(("a", "aesthetic > 5 AND NOT has_caption"), ("b", "duplicate_of IS NULL"))
    assert required_tables(asked) == ("videos", "clips", "scores/scan", "scores/aesthetic", "duplicates")
    balanced = config(balance={"method": "cap", "best_by": "nudity_score"})
    assert set(required_tables(balanced)) >= {"scores/embedding", "scores/safety"}


def test_own_rules_follow_the_preset_and_take_the_place_of_their_name() -> None:
    names = [rule.name for rule in SelectConfig().all_rules()]
    mine = SelectConfig.model_validate(
        {"rules": [{"name": "blurred", "keep": "sharpness >= 9"}, {"name": "mine", "keep": "width > 9"}]}
    )
    assert [rule.name for rule in mine.all_rules()] == [*names, "mine"]
    assert {rule.name: rule.keep for rule in mine.all_rules()}["blurred"] == "sharpness >= 9"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("rules: [{name: a, keep: 'sharpnes > 1'}]", "rules.0.keep: names an unknown score 'sharpnes'; did you mean"),
        ("rules: [{name: a, keep: 'true'}, {name: a, keep: 'true'}]", "two rules are named 'a'"),
        ("rules: [{name: A, keep: 'true'}]", "rules.0.name"),
        ("preset: opensora", "preset"),
        ("rules: [{name: a, keep: 'true', drop: x}]", "drop"),
    ],
)
def test_a_mistake_in_the_config_is_one_sentence(tmp_path: Path, written: str, told: str) -> None:
    path = tmp_path / "select.yaml"
    path.write_text(written)
    with pytest.raises(ConfigError) as caught:
        load_config(SelectConfig, path)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
