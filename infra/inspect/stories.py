"""The stories of many clips at once, as JSON for a page: every row of every table that speaks of them, cut to size."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from infra.inspect.sql import score_columns, score_tables
from infra.inspect.text import json_value
from pipeline.views import view_name
from schemas import TABLES

MAX_TEXT = 2000
"""Characters of one text from outside on a page."""
_MAX_ROWS = 12
"""Rows of one table for one clip: captions, copies of its file."""
_FILE_COLUMNS = ("uri", "num_bytes", "license", "source_url", "title")
_OWN = frozenset({"clips", "duplicates", "labels"})
"""Tables that a story tells in a way of its own."""


def tell_many(db: duckdb.DuckDBPyConnection, clip_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The stories of these clips, by id; without those that do not exist.

    Args:
        db: From `infra.inspect.sql.open_views`.
        clip_ids: Which clips.

    Returns:
        For each clip `clip`, `video`, `shot` and `files`, `scores` by scorer, `duplicate`, `stays_for` (the clips
        that it stays for), `labels`, and `tables`: the rows of each other table by its name.
    """
    clips = {row["clip_id"]: row for row in _rows(db, "clips", "clip_id", list(clip_ids))}
    ids, video_ids = list(clips), sorted({row["video_id"] for row in clips.values()})
    videos = {row["video_id"]: row for row in _rows(db, "videos", "video_id", video_ids)}
    shots = {(row["video_id"], row["shot_index"]): row for row in _rows(db, "shots", "video_id", video_ids)}
    files = _grouped(_rows(db, "files", "video_id", video_ids, (*_FILE_COLUMNS, "video_id")), "video_id")
    stories: dict[str, dict[str, Any]] = {
        clip_id: {
            "clip": clip,
            "video": videos.get(clip["video_id"], {}),
            "shot": shots.get((clip["video_id"], clip["shot_index"]), {}),
            "files": files.get(clip["video_id"], []),
            "scores": {},
            "duplicate": None,
            "stays_for": [],
            "labels": [],
            "tables": {},
        }
        for clip_id, clip in clips.items()
    }
    for table in score_tables():
        view = view_name(table)
        # Embeddings are no reading.
        columns = [column.name for column in score_columns(db, view) if column.is_number]
        for row in _rows(db, view, "clip_id", ids, ("clip_id", *columns)) if columns else ():
            stories[row.pop("clip_id")]["scores"][table.removeprefix("scores/")] = row
    for row in _rows(db, "duplicates", "clip_id", ids):
        stories[row["clip_id"]]["duplicate"] = row
    for row in _rows(db, "duplicates", "duplicate_of", ids):
        stays_for = stories[row["duplicate_of"]]["stays_for"]
        if len(stays_for) < _MAX_ROWS:
            stays_for.append(row)
    for clip_id, rows in _grouped(_rows(db, "labels", "clip_id", ids), "clip_id").items():
        stories[clip_id]["labels"] = rows
    for table in _other_tables():
        for clip_id, rows in _grouped(_rows(db, view_name(table), "clip_id", ids), "clip_id").items():
            stories[clip_id]["tables"][table] = rows
    return stories


@functools.cache
def _other_tables() -> tuple[str, ...]:
    return tuple(
        name
        for name, table in TABLES.items()
        if "clip_id" in table.schema.names
        and name not in _OWN
        and name not in score_tables()
        and not any(pa.types.is_binary(field.type) for field in table.schema)
        # The wide table repeats the others.
        and name != "wide"
    )


def _rows(
    db: duckdb.DuckDBPyConnection, view: str, key: str, ids: Sequence[str], columns: Iterable[str] = ()
) -> Iterator[dict[str, Any]]:
    """The rows of a view with one of these keys, in a fixed order, long texts cut."""
    if not ids:
        return iter(())
    kinds = {name: kind for name, kind, *_ in db.execute(f"DESCRIBE {view}").fetchall()}
    chosen = ", ".join(f'{_read_as(kinds[name]).format(name)} AS "{name}"' for name in columns or kinds)
    cursor = db.execute(f'SELECT {chosen} FROM {view} WHERE "{key}" IN (SELECT unnest($1)) ORDER BY ALL', [list(ids)])
    names = [column[0] for column in cursor.description]
    found = cursor.fetchall()
    return ({name: json_value(value) for name, value in zip(names, row, strict=True)} for row in found)


def _read_as(kind: str) -> str:
    """How a column of this type is read, with a place for its name."""
    if kind == "VARCHAR":
        return f'left("{{}}", {MAX_TEXT})'
    # As Python values, times with a zone would need one more library.
    return '"{}"::VARCHAR' if kind.startswith("TIMESTAMP") else '"{}"'


def _grouped(rows: Iterable[dict[str, Any]], key: str) -> dict[str, list[dict[str, Any]]]:
    """The first rows of each key, without the key."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        group = groups.setdefault(row.pop(key), [])
        if len(group) < _MAX_ROWS:
            group.append(row)
    return groups
