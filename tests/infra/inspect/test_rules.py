from __future__ import annotations

from typing import Any

import duckdb
import pytest

from infra.inspect.rules import parse, rules_of


@pytest.fixture(scope="module")
def db() -> Any:
    with duckdb.connect(":memory:") as opened:
        yield opened


@pytest.mark.parametrize(
    ("predicate", "limits"),
    [
        pytest.param("aesthetic >= 5.0", [("aesthetic", ">=", 5.0, "5.0")], id="a lower limit"),
        pytest.param("5 < x", [("x", ">", 5.0, "5")], id="the number first"),
        pytest.param("x BETWEEN -0.1 AND 3e-2", [("x", ">=", -0.1, "-0.1"), ("x", "<=", 0.03, "3e-2")], id="between"),
        pytest.param("NOT (x > 0.5)", [("x", "<=", 0.5, "0.5")], id="negated"),
        pytest.param("NOT NOT x > 0.5", [("x", ">", 0.5, "0.5")], id="negated twice"),
        pytest.param("é IS NULL OR x >= 7", [("x", ">=", 7.0, "7")], id="letters of two bytes before it"),
        pytest.param("x >= 1_000", [("x", ">=", 1000.0, "1_000")], id="digits set apart"),
        pytest.param("coalesce(x, 0) <= 0.29", [("x", "<=", 0.29, "0.29")], id="a value that may be missing"),
        pytest.param("0.5 > coalesce(x, y, 1)", [("x", "<", 0.5, "0.5")], id="another value where one is missing"),
        pytest.param("coalesce(a + b, 0) >= 2 OR coalesce(1, a) >= 2", [], id="no column to begin with"),
        pytest.param("a + b >= 2 AND c = 3", [], id="nothing that is one column's limit"),
    ],
)
def test_limits_are_found_with_their_place_and_side(db: Any, predicate: str, limits: list[Any]) -> None:
    rule = parse(db, "name", predicate)
    assert rule.tree is not None
    found = [(some.column, some.op, some.value, predicate[some.start :][: some.length]) for some in rule.limits]
    assert found == limits


def test_columns_are_those_the_tree_reads(db: Any) -> None:
    assert parse(db, "n", "b >= 1 OR coalesce(a, 0) < 2 OR c IS NULL").columns == ("a", "b", "c")


@pytest.mark.parametrize(
    "predicate",
    [
        "abs(x) > 1",
        "name = 'text'",
        "x > (SELECT 1)",
        "1=1) OR (1=1",
        "x > 1; DROP TABLE t",
        "x > 1 FROM read_csv('/etc/passwd')",
        "x > 1 ORDER BY 1",
        "x > 1, y",
        "x > 1e999",
        "x > ",
        "",
        "(" * 3000 + "x > 1" + ")" * 3000,
        "NOT " * 900 + "x",
    ],
)
def test_what_a_page_cannot_compute_keeps_its_text_alone(db: Any, predicate: str) -> None:
    rule = parse(db, "n", predicate)
    assert (rule.predicate, rule.limits) == (predicate, ()) or rule.tree is not None
    if "NOT" not in predicate:
        assert rule.tree is None


@pytest.mark.parametrize(
    "listed",
    [
        {"a": "x > 1", "b": "y < 2"},
        [{"name": "a", "keep": "x > 1"}, {"name": "b", "predicate": "y < 2"}],
        {"a": {"keep": "x > 1"}, "b": {"keep": "y < 2"}},
    ],
)
def test_rules_are_read_in_order_however_they_are_written(db: Any, listed: Any) -> None:
    rules = rules_of({"config": {"select": {"rules": listed}}}, db)
    assert [rule.predicate for rule in rules] == ["x > 1", "y < 2"]


def test_a_preset_and_the_rules_after_it_are_those_of_the_selection(db: Any) -> None:
    select = {"preset": "open_sora", "rules": [{"name": "mine", "keep": "sharpness >= 6"}]}
    rules = rules_of({"config": {"select": select}}, db)
    assert rules[-1].name == "mine"
    assert any(limit.column == "aesthetic" for rule in rules for limit in rule.limits)


def test_every_default_rule_with_a_number_can_be_moved(db: Any) -> None:
    rules = rules_of({"config": {"select": {}}}, db)
    assert len(rules) > 5
    for rule in rules:
        assert bool(rule.limits) == any(sign in rule.predicate for sign in "<>"), rule.predicate


@pytest.mark.parametrize(
    "config", [None, [], "x", {"select": None}, {"select": {"rules": 7}}, {"select": {"rules": [1, None, {}]}}]
)
def test_a_config_that_is_something_else_has_no_rules(db: Any, config: Any) -> None:
    assert rules_of({"config": config}, db) == []
