from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from infra.inspect.text import aligned, cell, hours, json_lines, number, share, size, table_lines, visible


def test_visible_leaves_letters_of_every_script_and_spells_out_what_hides_or_moves() -> None:
    assert visible("Straße 東京 مرحبا é <b>") == "Straße 東京 مرحبا é <b>"
    assert visible("a\u202eb\x1b[2J\n\x00\udc80") == r"a\u202eb\x1b[2J\n\x00\udc80"
    assert visible(visible("\u202e")) == visible("\u202e")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0.0, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (3599.4, "59 min 59 s"),
        (7200, "2.0 h"),
    ],
)
def test_hours_are_told_in_the_unit_that_fits(seconds: float | None, text: str) -> None:
    assert hours(seconds) == text


def test_little_never_reads_as_nothing() -> None:
    assert (share(0.0), share(1e-9), share(1.0)) == ("0.0 %", "<0.1 %", "100.0 %")


@pytest.mark.parametrize(
    ("num_bytes", "text"),
    [(None, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_700, "1.0 MB"), (10**15, "1000 TB")],
)
def test_sizes(num_bytes: int | None, text: str) -> None:
    assert size(num_bytes) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (0.123456, "0.1235"),
        (999.96, "1000"),
        (36_570.4, "36,570"),
        (-5e6, "-5,000,000"),
        (1e300, "1e+300"),
    ],
)
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


def test_a_cell_is_one_short_line() -> None:
    assert cell(None) == "NULL"
    assert cell("a\nb" * 100) == (r"a\nb" * 100)[:79] + "…"
    assert [cell(True), cell(b"\x01\xff"), cell([1, "x"]), cell(0.1 + 0.2)] == [
        "true",
        "01ff",
        "[1, 'x']",
        "0.3",
    ]


def test_json_lines_are_one_array_whatever_the_values() -> None:
    values = (
        None,
        1,
        1.5,
        math.nan,
        math.inf,
        True,
        b"\x01",
        Decimal("1.5"),
        Decimal(2**80),
        [b"\x02"],
        {"a": 1},
    )
    columns = [f"c{k}" for k in range(len(values) + 1)]
    row = (*values, datetime(2026, 1, 2, tzinfo=UTC))
    for count in (0, 1, 3):
        text = "\n".join(json_lines(columns, iter([row] * count)))
        read = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        assert len(read) == count
    wanted = [
        None,
        1,
        1.5,
        "nan",
        "inf",
        True,
        "01",
        1.5,
        2**80,
        ["02"],
        {"a": 1},
        "2026-01-02 00:00:00+00:00",
    ]
    assert list(read[0].values()) == wanted


def test_a_table_is_aligned_numbers_to_the_right() -> None:
    lines = list(table_lines(["name", "n"], iter([("東京", 1), ("a", 1000), (None, None)])))
    assert lines == ["name     n", "----  ----", "東京     1", "a     1000", "NULL  NULL"]


def test_a_table_without_rows_still_shows_its_columns() -> None:
    assert list(table_lines(["a", "bc"], iter([]))) == ["a  bc", "-  --"]


def test_a_long_table_is_not_held() -> None:
    lines = table_lines(["n"], ((k,) for k in range(10**12)))
    assert [next(lines) for _ in range(3)][2].strip() == "0"


def test_aligned_spells_out_what_hides() -> None:
    assert aligned(("", ""), [("a\x1b", "b"), ("ccc", "d")], right=[1]) == "a\\x1b  b\nccc    d"
