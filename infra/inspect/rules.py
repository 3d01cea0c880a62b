"""The rules of the selection as a page can apply them again: trees over columns, with the limits that can be moved."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

import duckdb
from pydantic import ValidationError

from pipeline.selection.predicate import MAX_CHARACTERS
from pipeline.stages.select import SelectConfig
from schemas import ConfigError

Tree: TypeAlias = dict[str, Any]
"""`{"column": name}`, `{"limit": index}`, `{"number": value}`, or `{"op": name, "of": [trees]}`."""

_PREFIX = "SELECT "
_COMPARISONS = {
    "COMPARE_GREATERTHANOREQUALTO": ">=",
    "COMPARE_GREATERTHAN": ">",
    "COMPARE_LESSTHANOREQUALTO": "<=",
    "COMPARE_LESSTHAN": "<",
    "COMPARE_EQUAL": "=",
    "COMPARE_NOTEQUAL": "<>",
}
_TURNED = {">=": "<=", ">": "<", "<=": ">=", "<": ">"}
OPPOSITE = {">=": "<", ">": "<=", "<=": ">", "<": ">="}
"""The comparison that is true where another is false."""
_OPERATORS = {"OPERATOR_NOT": "not", "OPERATOR_IS_NULL": "null", "OPERATOR_COALESCE": "coalesce"}
_ARITHMETIC = frozenset({"+", "-", "*", "/"})
_BARE = frozenset({"type", "select_list", "from_table", "aggregate_handling"})
"""What a SELECT of one expression alone consists of."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A number in a rule that a column is compared with."""

    column: str
    op: str
    """How the column stands to it where the clip is kept: `>=`, `>`, `<=`, `<`."""
    value: float
    start: int
    """Where the number stands in the predicate, in characters."""
    length: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the selection."""

    name: str
    """The reason it records."""
    predicate: str
    """What a kept clip fulfils, in SQL."""
    tree: Tree | None = None
    """The predicate; None where it says more than a page can compute."""
    limits: tuple[Limit, ...] = ()
    columns: tuple[str, ...] = field(default=())
    """Columns that the tree reads."""

    def to_json(self) -> dict[str, Any]:
        """The rule as a JSON object."""
        return asdict(self)


class _TooMuch(Exception):  # noqa: N818 - not an error: the rule is shown, and not applied in the page
    """The predicate holds something that pages do not compute."""


def rules_of(described: Mapping[str, Any], db: duckdb.DuckDBPyConnection) -> list[Rule]:
    """The rules that the dataset's own description holds, in order.

    Args:
        described: From `Dataset.describe`; nothing in it is trusted.
        db: Any connection: its parser reads the predicates.
    """
    config = described.get("config")
    select = config.get("select") if isinstance(config, dict) else None
    if not isinstance(select, dict):
        return []
    try:
        named = [(rule.name, rule.keep) for rule in SelectConfig.model_validate(select).all_rules()]
    except (ValidationError, ConfigError):
        # Of another release, which knows other scores: shown all the same, as far as they can be read.
        named = list(_named(select.get("rules")))
    return [parse(db, name, predicate) for name, predicate in named if len(predicate) <= MAX_CHARACTERS]


def parse(db: duckdb.DuckDBPyConnection, name: str, predicate: str) -> Rule:
    """Read one predicate; one that is not understood keeps its text alone."""
    expression = _parsed(db, predicate)
    if expression is None:
        return Rule(name, predicate)
    reader = _Reader(predicate)
    try:
        tree = reader.read(expression, is_negated=False)
    except _TooMuch:
        return Rule(name, predicate)
    return Rule(name, predicate, tree, tuple(reader.limits), tuple(sorted(reader.columns)))


def _named(listed: Any) -> Iterator[tuple[str, str]]:
    """Name and predicate of each rule, in whichever way they are written: a mapping, or a list of either."""
    if isinstance(listed, dict):
        listed = [{"name": name, "keep": rule} if isinstance(rule, str) else rule for name, rule in listed.items()]
    for rule in listed if isinstance(listed, list | tuple) else ():
        if isinstance(rule, str):
            yield rule, rule
        elif isinstance(rule, dict):
            predicate = next((rule[key] for key in _PREDICATE_KEYS if isinstance(rule.get(key), str)), None)
            name = next((rule[key] for key in ("name", "reason") if isinstance(rule.get(key), str)), predicate)
            if predicate is not None and name is not None:
                yield name, predicate


_PREDICATE_KEYS = ("keep", "predicate", "where", "sql", "rule")


def _parsed(db: duckdb.DuckDBPyConnection, predicate: str) -> dict[str, Any] | None:
    sql = "SELECT json_serialize_sql($1, skip_null := true, skip_empty := true, skip_default := true)"
    try:
        answer = json.loads(db.execute(sql, [_PREFIX + predicate]).fetchall()[0][0])
    except (duckdb.Error, RecursionError, ValueError):
        return None
    statements = answer.get("statements", [])
    node = statements[0].get("node", {}) if len(statements) == 1 else {}
    chosen = node.get("select_list", [])
    clauses = {key for key, value in node.items() if value} - _BARE
    is_alone = node.get("from_table", {}).get("type", "EMPTY") == "EMPTY"
    return chosen[0] if len(chosen) == 1 and is_alone and not clauses else None


class _Reader:
    """Turns DuckDB's tree of a predicate into ours."""

    def __init__(self, predicate: str) -> None:
        self.predicate = predicate
        self.limits: list[Limit] = []
        self.columns: set[str] = set()

    def read(self, node: dict[str, Any], *, is_negated: bool) -> Tree:
        """One node and all below it.

        Raises:
            _TooMuch: Pages do not compute this.
        """
        kind = node.get("type", "")
        if kind in ("CONJUNCTION_AND", "CONJUNCTION_OR"):
            of = [self.read(child, is_negated=is_negated) for child in node["children"]]
            return {"op": kind.removeprefix("CONJUNCTION_").lower(), "of": of}
        if kind in _COMPARISONS:
            return self._comparison(_COMPARISONS[kind], node["left"], node["right"], is_negated)
        if kind == "COMPARE_BETWEEN":
            edges = ((">=", node["lower"]), ("<=", node["upper"]))
            return {"op": "and", "of": [self._comparison(op, node["input"], edge, is_negated) for op, edge in edges]}
        if kind in _OPERATORS:
            is_not = kind == "OPERATOR_NOT"
            of = [self.read(child, is_negated=is_negated ^ is_not) for child in node["children"]]
            return {"op": _OPERATORS[kind], "of": of}
        if kind == "OPERATOR_IS_NOT_NULL":
            return {"op": "not", "of": [{"op": "null", "of": [self.read(node["children"][0], is_negated=is_negated)]}]}
        if kind == "COLUMN_REF":
            self.columns.add(node["column_names"][-1])
            return {"column": node["column_names"][-1]}
        if kind == "VALUE_CONSTANT":
            return {"number": _value(node)}
        # A minus sign alone has one argument.
        if kind == "FUNCTION" and node.get("function_name") in _ARITHMETIC and node.get("arguments"):
            of = [self.read(argument["expression"], is_negated=is_negated) for argument in node["arguments"]]
            return {"op": node["function_name"], "of": of}
        raise _TooMuch

    def _comparison(self, op: str, left: dict[str, Any], right: dict[str, Any], is_negated: bool) -> Tree:
        if left.get("type") == "VALUE_CONSTANT" and _measured(right) is not None:
            op, left, right = _TURNED.get(op, op), right, left
        of = [self.read(left, is_negated=is_negated), self.read(right, is_negated=is_negated)]
        column = _measured(left)
        if column is not None and right.get("type") == "VALUE_CONSTANT" and op in _TURNED:
            kept = OPPOSITE[op] if is_negated else op
            self.limits.append(Limit(column, kept, _value(right), *self._place(right)))
            of[1] = {"limit": len(self.limits) - 1}
        return {"op": op, "of": of}

    def _place(self, node: dict[str, Any]) -> tuple[int, int]:
        """Where a number stands; DuckDB counts bytes."""
        start, length = node.get("query_location", 0) - len(_PREFIX), node.get("query_location_length", 0)
        coded = self.predicate.encode()
        before, text = coded[:start].decode(), coded[start : start + length].decode()
        return len(before), len(text)


def _measured(node: dict[str, Any]) -> str | None:
    """The column whose value is compared: of `coalesce(column, …)`, which says what holds without one, its first."""
    if node.get("type") == "COLUMN_REF":
        return str(node["column_names"][-1])
    if node.get("type") == "OPERATOR_COALESCE" and node.get("children"):
        return _measured(node["children"][0])
    return None


def _value(node: dict[str, Any]) -> float:
    literal = node.get("literal", {})
    if literal.get("kind") not in ("INTEGER", "NUMERIC"):
        raise _TooMuch
    value = float(literal["text"].replace("_", ""))
    if value != value or abs(value) == float("inf"):
        raise _TooMuch
    return value
