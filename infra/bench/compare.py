"""Whether two datasets hold the same."""

from __future__ import annotations

import hashlib
from typing import Any

from pipeline.dataset import Dataset
from schemas import TABLES, VOLATILE_COLUMNS

Rows = list[tuple[Any, ...]]


def tables_of(dataset: str) -> dict[str, Rows]:
    """Every table of a dataset as sorted rows, without the columns in which equal runs may differ.

    Args:
        dataset: A folder or a URL.
    """
    manifest = Dataset(dataset).manifest
    found = {}
    for name in manifest.tables():
        columns = [column for column in TABLES[name].schema.names if column not in VOLATILE_COLUMNS]
        rows = manifest.read(name, columns).to_pylist()
        found[name] = sorted((tuple(map(_plain, row.values())) for row in rows), key=repr)
    return found


def previews_of(dataset: str) -> dict[str, str]:
    """The digest of every preview tar, by its path below the dataset."""
    place = Dataset(dataset)
    base = place.path("previews")
    paths = place.fs.find(base) if place.fs.exists(base) else []
    return {path.removeprefix(base): hashlib.sha256(place.fs.cat_file(path)).hexdigest() for path in paths}


def differences(one: str, other: str) -> list[str]:
    """What tells two datasets apart, a line for each table or preview that differs."""
    lines = []
    left, right = tables_of(one), tables_of(other)
    for name in sorted(left.keys() | right.keys()):
        a, b = left.get(name, []), right.get(name, [])
        if a != b:
            lines.append(f"{name}: {len(a)} and {len(b)} rows, {_first_difference(a, b)}")
    pictures, others = previews_of(one), previews_of(other)
    changed = [path for path in pictures.keys() | others.keys() if pictures.get(path) != others.get(path)]
    lines += [f"previews{path} differs or is missing" for path in sorted(changed)]
    return lines


def _first_difference(a: Rows, b: Rows) -> str:
    only_a = [row for row in a if row not in b][:1]
    only_b = [row for row in b if row not in a][:1]
    if not only_a and not only_b:
        return "the same rows, some of them more than once"
    return f"only in the first {only_a}, only in the second {only_b}"


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
