"""One SQL predicate over the wide table, read node by node: what is not known here is refused.

A predicate is never run as its author wrote it. DuckDB parses it into a tree, the tree is checked against a list of
what a condition may consist of, and the SQL that runs is written anew from the tree. So neither a subquery nor a
function that reads files, neither a comment nor a parenthesis out of place comes through.
"""

from __future__ import annotations

import atexit
import difflib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import duckdb
import pyarrow as pa

from schemas import TABLES, ConfigError

Node = Mapping[str, Any]
"""One node of the tree that `json_serialize_sql` gives."""

MAX_CHARACTERS = 4000
"""Longer predicates are refused: deep trees cost the parser a lot."""

_COMPARISONS = {
    "COMPARE_EQUAL": "=",
    "COMPARE_NOTEQUAL": "<>",
    "COMPARE_LESSTHAN": "<",
    "COMPARE_LESSTHANOREQUALTO": "<=",
    "COMPARE_GREATERTHAN": ">",
    "COMPARE_GREATERTHANOREQUALTO": ">=",
    "COMPARE_DISTINCT_FROM": "IS DISTINCT FROM",
    "COMPARE_NOT_DISTINCT_FROM": "IS NOT DISTINCT FROM",
}
_CONJUNCTIONS = {"CONJUNCTION_AND": " AND ", "CONJUNCTION_OR": " OR "}
_ARITHMETIC = frozenset({"+", "-", "*", "/", "%"})
_PATTERNS = {"~~": "LIKE", "!~~": "NOT LIKE", "~~*": "ILIKE", "!~~*": "NOT ILIKE"}
_FUNCTIONS = frozenset({"abs", "ceil", "floor", "greatest", "least", "round"})
_NUMBER = re.compile(r"-?[0-9][0-9_]*(\.[0-9]*)?([eE][+-]?[0-9]+)?|-?\.[0-9]+([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison with a number that decides whether a predicate holds."""

    sql: str
    """True where it holds."""
    value: str
    """SQL of what is compared."""
    threshold: float


@dataclass(frozen=True, slots=True)
class Predicate:
    """A condition on a clip."""

    sql: str
    """The condition, safe to stand in parentheses in any statement over the wide table."""
    columns: tuple[str, ...]
    """Columns of the wide table that it asks for, in the order in which it names them."""
    comparisons: tuple[Comparison, ...]
    """Those that it consists of by AND and OR, in their order."""


@lru_cache(maxsize=256)
def parse_predicate(text: str) -> Predicate:
    """Read a predicate.

    Raises:
        ConfigError: It is no single condition, asks for what is not in the wide table, or uses what a condition may
            not; the message is a phrase about the predicate, without its text.
    """
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"has {len(text)} characters; at most {MAX_CHARACTERS} are read")
    with _parser().cursor() as db:
        try:
            node = _only_expression(db, text)
            columns: dict[str, None] = {}
            sql, comparisons = _write(node, columns), tuple(_deciding(node))
        except RecursionError as error:
            raise ConfigError("is nested too deeply") from error
        kind = _kind(db, sql)
    if kind != "BOOLEAN":
        raise ConfigError(f"is no condition but a value ({kind})")
    return Predicate(sql, tuple(columns), comparisons)


@cache
def known_columns() -> tuple[str, ...]:
    """What a predicate may ask for."""
    return tuple(TABLES["wide"].schema.names)


def _only_expression(db: duckdb.DuckDBPyConnection, text: str) -> Node:
    """The tree of the one expression that a text is.

    The text stands alone behind SELECT: no parenthesis is put around it that it could close.
    """
    rows = db.execute("SELECT json_serialize_sql($1::VARCHAR)", ["SELECT " + text]).fetchall()
    parsed = json.loads(rows[0][0])
    if parsed["error"]:
        raise ConfigError(f"is no SQL: {_first_line(parsed['error_message'])}")
    if len(parsed["statements"]) != 1:
        raise ConfigError(f"must be one condition, got {len(parsed['statements'])} statements")
    tree = parsed["statements"][0]["node"]
    plain = (
        tree["type"] == "SELECT_NODE"
        and tree["from_table"]["type"] == "EMPTY"
        and not tree["cte_map"]["map"]
        and not any(tree.get(part) for part in ("modifiers", "where_clause", "group_expressions", "group_sets"))
        and not any(tree.get(part) for part in ("having", "qualify", "sample"))
    )
    if not plain or len(tree["select_list"]) != 1:
        raise ConfigError("must be one condition and nothing else")
    only: Node = tree["select_list"][0]
    return only


def _write(node: Node, columns: dict[str, None]) -> str:
    """The SQL of a node, its columns noted.

    Raises:
        ConfigError: It is nothing that a condition may consist of.
    """
    kind, name = node["class"], node["type"]
    if node.get("alias"):
        raise ConfigError(f"must be one condition and nothing else, got a name {node['alias']!r}")
    match kind:
        case "COLUMN_REF":
            return _column(node, columns)
        case "CONSTANT":
            return _constant(node["literal"])
        case "COMPARISON" if name in _COMPARISONS:
            left, right = _write(node["left"], columns), _write(node["right"], columns)
            return f"({left} {_COMPARISONS[name]} {right})"
        case "CONJUNCTION" if name in _CONJUNCTIONS:
            return f"({_CONJUNCTIONS[name].join(_write(child, columns) for child in node['children'])})"
        case "BETWEEN" if name == "COMPARE_BETWEEN":
            value, low, high = (_write(node[part], columns) for part in ("input", "lower", "upper"))
            return f"({value} BETWEEN {low} AND {high})"
        case "OPERATOR":
            return _operator(name, [_write(child, columns) for child in node["children"]])
        case "FUNCTION":
            return _function(node, columns)
    raise ConfigError(f"uses what a condition may not: {kind.lower()}")


def _column(node: Node, columns: dict[str, None]) -> str:
    names = node["column_names"]
    name = ".".join(names).lower()
    if name not in known_columns():
        near = difflib.get_close_matches(name, known_columns(), n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known_columns())}"
        raise ConfigError(f"names an unknown score {name!r}{hint}")
    columns.setdefault(name)
    return f'"{name}"'


def _constant(literal: Node) -> str:
    kind, text = literal["kind"], str(literal["text"])
    if kind in ("INTEGER", "NUMERIC") and _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return text
    if kind == "BOOLEAN" and text in ("true", "false"):
        return text
    if kind == "STRING" and text.strip(" +-").lower() not in ("nan", "inf", "infinity"):
        return "'" + text.replace("'", "''") + "'"
    raise ConfigError(f"uses what a condition may not: a constant of kind {kind.lower()}")


def _operator(name: str, children: list[str]) -> str:
    first, *rest = children
    match name:
        case "OPERATOR_NOT":
            return f"(NOT {first})"
        case "OPERATOR_IS_NULL":
            return f"({first} IS NULL)"
        case "OPERATOR_IS_NOT_NULL":
            return f"({first} IS NOT NULL)"
        case "OPERATOR_COALESCE":
            return f"coalesce({', '.join(children)})"
        case "COMPARE_IN" | "COMPARE_NOT_IN":
            negation = "NOT " if name == "COMPARE_NOT_IN" else ""
            return f"({first} {negation}IN ({', '.join(rest)}))"
    raise ConfigError(f"uses what a condition may not: {name.lower()}")


def _function(node: Node, columns: dict[str, None]) -> str:
    name = node["function_name"].lower()
    known = name in _ARITHMETIC or name in _PATTERNS or name in _FUNCTIONS
    odd = node["schema"] or node["catalog"] or node["distinct"] or node["filter"] or node["order_bys"]["orders"]
    if not known or odd or any(argument["name"] for argument in node["arguments"]):
        allowed = ", ".join(sorted(_FUNCTIONS | {"coalesce"}))
        raise ConfigError(f"uses what a condition may not: {name!r}; its functions are {allowed}")
    values = [_write(argument["expression"], columns) for argument in node["arguments"]]
    if name in _FUNCTIONS:
        return f"{name}({', '.join(values)})"
    if len(values) == 1:
        return f"({name} {values[0]}::DOUBLE)"
    left, right = values
    if name in _PATTERNS:
        return f"({left} {_PATTERNS[name]} {right})"
    # Whole numbers would overflow, and stop the statement. By nothing there is no quotient: NULL, not infinity.
    divisor = f"nullif({right}::DOUBLE, 0)" if name in ("/", "%") else f"{right}::DOUBLE"
    return f"({left}::DOUBLE {name} {divisor})"


def _deciding(node: Node) -> Iterator[Comparison]:
    """The comparisons with a number that a condition consists of by AND and OR."""
    if node["class"] == "CONJUNCTION":
        for child in node["children"]:
            yield from _deciding(child)
    elif node["class"] == "BETWEEN":
        value, low, high = (node[part] for part in ("input", "lower", "upper"))
        yield from _against_number(value, ">=", low)
        yield from _against_number(value, "<=", high)
    elif node["class"] == "COMPARISON" and node["type"] in _COMPARISONS:
        sign = _COMPARISONS[node["type"]]
        yield from _against_number(node["left"], sign, node["right"])
        yield from _against_number(node["right"], _mirrored(sign), node["left"])


def _against_number(value: Node, sign: str, limit: Node) -> Iterator[Comparison]:
    if limit["class"] != "CONSTANT" or limit["literal"]["kind"] not in ("INTEGER", "NUMERIC"):
        return
    if value["class"] != "CONSTANT":
        sql, text = _write(value, {}), _constant(limit["literal"])
        yield Comparison(f"({sql} {sign} {text})", sql, float(text))


def _mirrored(sign: str) -> str:
    return sign.translate(str.maketrans("<>", "><")) if sign in ("<", "<=", ">", ">=") else sign


def _kind(db: duckdb.DuckDBPyConnection, sql: str) -> str:
    """The type of an expression, tried on a clip that has every score."""
    try:
        kinds = db.execute(f"SELECT typeof({sql}), {sql} FROM wide").fetchall()
    except duckdb.Error as error:
        raise ConfigError(f"cannot be evaluated: {_first_line(str(error))}") from error
    return str(kinds[0][0])


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    """A database of nothing but a clip that has every score; opening one takes longer than reading many predicates."""
    schema = TABLES["wide"].schema
    values = {"string": "x", "double": 1.0, "int64": 1, "bool": True}
    sample = pa.table([pa.array([values[str(field.type)]], field.type) for field in schema], schema=schema)
    db = duckdb.connect(":memory:")
    db.register("sample", sample).execute("CREATE TABLE wide AS FROM sample").unregister("sample")
    # A connection that outlives the interpreter makes DuckDB's bindings complain on the terminal.
    atexit.register(_parser.cache_clear)
    return db


def _first_line(message: str) -> str:
    return " ".join(message.partition("\nLINE ")[0].split())
