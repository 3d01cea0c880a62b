from __future__ import annotations

from typing import Any

import duckdb
import pytest
from pydantic import ValidationError

from pipeline.selection.presets import PRESETS
from pipeline.selection.rules import (
    Rule,
    RuleConfig,
    columns_of,
    read_rules,
    reason,
    replaced,
    rule_digest,
    threshold,
    value,
    verdict,
)


def rules(**keep: str) -> Any:
    return read_rules([RuleConfig(name=name, keep=text) for name, text in keep.items()])


def judged(given: Any, **clip: float | bool | str | None) -> tuple[Any, ...]:
    """Reason, value and threshold of one clip with these scores."""
    columns = ", ".join(f'${name}::{kind(value)} AS "{name}"' for name, value in clip.items()) or "1 AS nothing"
    said = f"{reason(given, 'number')}, {value(given, 'number')}, {threshold(given, 'number')}"
    with duckdb.connect(":memory:") as db:
        return db.execute(
            f"SELECT {said} FROM (SELECT *, {verdict(given)} AS number FROM (SELECT {columns}))", clip
        ).fetchall()[0]


def kind(value: object) -> str:
    return {bool: "BOOLEAN", str: "VARCHAR"}.get(type(value), "DOUBLE")


TWO = rules(blurred="sharpness >= 4", dull="aesthetic > 5 AND saturation_mean <= 0.9")


@pytest.mark.parametrize(
    ("clip", "told"),
    [
        pytest.param({"sharpness": 4, "aesthetic": 6, "saturation_mean": 0.5}, (None, None, None), id="kept"),
        pytest.param(
            {"sharpness": 3, "aesthetic": 1, "saturation_mean": 0.5}, ("blurred", 3, 4), id="the first rule counts"
        ),
        pytest.param(
            {"sharpness": 9, "aesthetic": 5, "saturation_mean": 1.0},
            ("dull", 5, 5),
            id="the first comparison counts",
        ),
        pytest.param({"sharpness": 9, "aesthetic": 6, "saturation_mean": 1.0}, ("dull", 1.0, 0.9), id="the second one"),
        pytest.param(
            {"sharpness": None, "aesthetic": 1, "saturation_mean": 1.0},
            ("missing:sharpness", None, None),
            id="without a score",
        ),
        pytest.param(
            {"sharpness": 9, "aesthetic": 6, "saturation_mean": None},
            ("missing:saturation_mean", None, None),
            id="without the second score",
        ),
        pytest.param(
            {"sharpness": 9, "aesthetic": 1, "saturation_mean": None},
            ("dull", 1, 5),
            id="false whatever the missing score",
        ),
    ],
)
def test_the_first_rule_that_fails_is_the_reason(clip: dict[str, Any], told: tuple[Any, ...]) -> None:
    assert judged(TWO, **clip) == told


def test_a_limit_itself_is_on_the_side_that_the_sign_says() -> None:
    assert judged(rules(a="sharpness >= 0.1"), sharpness=0.1)[0] is None
    assert judged(rules(a="sharpness > 0.1"), sharpness=0.1)[0] == "a"
    assert judged(rules(a="sharpness BETWEEN 1 AND 2"), sharpness=2.5) == ("a", 2.5, 2)


def test_no_quotient_is_a_missing_rule_and_not_infinity() -> None:
    ratio = rules(ratio="camera_shake / motion_mean >= 1")
    assert judged(ratio, camera_shake=1, motion_mean=0) == ("missing:ratio", None, None)
    assert judged(ratio, camera_shake=1, motion_mean=2) == ("ratio", 0.5, 1)


def test_without_rules_everything_is_kept() -> None:
    assert judged(()) == (None, None, None)


def test_a_rule_takes_the_place_of_its_name() -> None:
    changed = replaced(TWO, rules(blurred="sharpness >= 8")[0])
    assert [rule.name for rule in changed] == ["blurred", "dull"]
    assert judged(changed, sharpness=5, aesthetic=6, saturation_mean=0.5) == ("blurred", 5, 8)
    assert [rule.name for rule in replaced(TWO, rules(new="true")[0])] == ["blurred", "dull", "new"]


def test_the_digest_is_of_what_rules_say_and_not_of_how_it_is_written() -> None:
    assert rule_digest(rules(a="sharpness>=4")) == rule_digest(rules(a="sharpness  >=  4 -- why"))
    assert rule_digest(rules(a="sharpness >= 4")) != rule_digest(rules(a="sharpness >= 5"))
    assert rule_digest(rules(a="sharpness >= 4", b="true")) != rule_digest(rules(b="true", a="sharpness >= 4"))


@pytest.mark.parametrize("name", ["balance", "Blurred", "a-b", "missing:x", "", "a'b", "x" * 65])
def test_a_name_that_reasons_could_not_tell_apart_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        RuleConfig(name=name, keep="true")


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_can_be_read_and_asks_for_known_scores(preset: str) -> None:
    read = tuple(Rule.read(*rule) for rule in PRESETS[preset].items())
    assert len({rule.name for rule in read}) == len(read)
    assert columns_of(read)
