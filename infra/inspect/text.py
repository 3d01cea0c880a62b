"""Numbers and text from outside, written for a person: on a terminal and on a page."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import islice

_MAX_CELL = 80
"""Characters of a table's cell; JSON is the place for the rest."""
_MEASURED_ROWS = 1000
"""Rows whose widths decide those of a table's columns; a later, wider cell is only out of line."""


def visible(text: str) -> str:
    r"""The text with each character that is not seen, or moves others, written as `\xNN` or `\uNNNN`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def count(number: int | None) -> str:
    """A whole number, its thousands set apart."""
    return "" if number is None else f"{number:,}"


def hours(seconds: float | None) -> str:
    """A length of footage: `12.3 s`, `4 min 05 s`, `3.2 h`."""
    if seconds is None:
        return ""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60:02} s" if whole < 3600 else f"{seconds / 3600:,.1f} h"


def share(ratio: float | None) -> str:
    """A ratio from 0 to 1, in per cent; what is little but not nothing never reads as nothing."""
    if ratio is None:
        return ""
    return "<0.1 %" if 0 < ratio < 0.0005 else f"{100 * ratio:.1f} %"


def size(num_bytes: int | None) -> str:
    """A file's length."""
    value = float(num_bytes or 0)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 999.5 or unit == "TB":
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.5 else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError("unreachable")


def number(value: float | None) -> str:
    """A score, to four digits; of thousands and more, whole."""
    if value is None:
        return "none"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.4g}"


def cell(value: object) -> str:
    """A value of an SQL answer, on one line and not too long."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, bytes):
        text = value.hex()
    else:
        text = value if isinstance(value, str) else str(json_value(value))
    text = visible(text)
    return text if len(text) <= _MAX_CELL else f"{text[: _MAX_CELL - 1]}…"


def json_value(value: object) -> object:
    """A value of an SQL answer as JSON has it: bytes as hexadecimal digits, times and the like as text."""
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(key): json_value(some) for key, some in value.items()}
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return [json_value(some) for some in value]
    return str(value)


def json_lines(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """One JSON array of objects, a row a line, so that no more than a row is held."""
    yield "["
    pending = ""
    for row in rows:
        if pending:
            yield f"{pending},"
        pending = json.dumps({name: json_value(value) for name, value in zip(columns, row, strict=True)})
    if pending:
        yield pending
    yield "]"


def table_lines(columns: Sequence[str], rows: Iterator[Sequence[object]]) -> Iterator[str]:
    """An aligned table, numbers to the right; only the first rows are held to find the widths."""
    first = list(islice(rows, _MEASURED_ROWS))
    texts = [[cell(value) for value in row] for row in first]
    right = {
        k
        for k in range(len(columns))
        if any(row[k] is not None for row in first)
        and all(isinstance(row[k], int | float | Decimal | None) for row in first)
    }
    names = [visible(name) for name in columns]
    widths = [max(map(_width, column)) for column in zip(names, *texts, strict=True)]
    yield _line(names, widths, right)
    yield "  ".join("-" * width for width in widths)
    for row in texts:
        yield _line(row, widths, right)
    for later in rows:
        yield _line([cell(value) for value in later], widths, right)


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Iterable[int] = ()) -> str:
    """A small table of texts."""
    lines = [head, *rows] if any(head) else list(rows)
    if not lines:
        return ""
    texts = [[visible(text) for text in line] for line in lines]
    widths = [max(map(_width, column)) for column in zip(*texts, strict=True)]
    return "\n".join(_line(line, widths, set(right)) for line in texts)


def _line(texts: Sequence[str], widths: Sequence[int], right: set[int]) -> str:
    cells = []
    for k, (text, width) in enumerate(zip(texts, widths, strict=True)):
        gap = " " * max(width - _width(text), 0)
        cells.append(gap + text if k in right else text + gap)
    return "  ".join(cells).rstrip()


def _width(text: str) -> int:
    """Columns on a terminal: East Asian wide characters take two, combining ones none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
