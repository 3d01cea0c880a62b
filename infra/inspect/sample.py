"""An even sample of all clips as columns, on which a page works out what other limits would keep."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from infra.inspect.rules import Rule
from infra.inspect.sql import Answer, score_columns, score_tables
from pipeline.selection.predicate import parse_predicate
from pipeline.views import view_name
from schemas import ConfigError
from schemas.tables import WIDE_COLUMNS

MAX_CLIPS = 20_000
"""Clips in the sample."""
_SAFETY = 0.98
"""Ids are even only on average: aiming a little lower stays below the most."""
_OPAQUE_TIMEOUT_S = 10.0
_UNKNOWN = 2
_SOURCES = {
    "videos": "LEFT JOIN videos ON videos.video_id = clips.video_id",
    "captions": "LEFT JOIN (SELECT DISTINCT clip_id FROM captions WHERE kind = 'original' {and_where}) AS captions "
    "ON captions.clip_id = clips.clip_id",
}
"""How a table is joined that has not one row a clip."""
_OF_CLIP = "LEFT JOIN (FROM {view} WHERE {{where}}) AS {view} ON {view}.clip_id = clips.clip_id"


@dataclass(frozen=True, slots=True)
class Sample:
    """Clips drawn evenly from all, and what the rules need to know of them."""

    num_clips: int
    """In the sample."""
    num_all: int
    """In the dataset; each clip of the sample stands for `num_all / num_clips`."""
    columns: dict[str, NDArray[np.float32]]
    """By score; NaN where there is no value. A column that is no number is 0 where it is known."""
    seconds: NDArray[np.float32]
    """Lengths of the clips, in seconds."""
    passes: dict[int, NDArray[np.uint8]]
    """For the rules that a page cannot compute, by index: 1 kept, 0 dropped, 2 not known."""
    reasons: tuple[str, ...]
    """Reasons that the selection recorded."""
    reason: NDArray[np.int16]
    """Index of each clip's reason; -1 kept, -2 not selected yet."""

    def to_json(self) -> dict[str, Any]:
        """The sample as a JSON object, its columns as base64 of little-endian numbers."""
        return {
            "num_clips": self.num_clips,
            "num_all": self.num_all,
            "columns": {name: _packed(values) for name, values in self.columns.items()},
            "seconds": _packed(self.seconds),
            "passes": {str(index): _packed(values) for index, values in self.passes.items()},
            "reasons": self.reasons,
            "reason": _packed(self.reason),
        }


def draw_sample(db: duckdb.DuckDBPyConnection, rules: Sequence[Rule], *, most: int = MAX_CLIPS) -> Sample:
    """Draw the sample: ids come from a hash of content, so those that begin lowest are an even draw.

    Args:
        db: From `infra.inspect.sql.open_views`.
        rules: What the page is to apply.
        most: At most so many clips.
    """
    num_all = int(db.execute("SELECT count(*) FROM clips").fetchall()[0][0])
    names = _fill(db, _cut(num_all, most), most)
    scores = _scores(db)
    wanted = [name for name in names if name in scores]
    wanted += sorted({name for rule in rules for name in rule.columns if name in names} - set(wanted))
    data = db.sql("SELECT * FROM sampled ORDER BY clip_id").to_arrow_table()
    columns = {name: _numbers(data[name]) for name in wanted}
    usable = [index for index, rule in enumerate(rules) if rule.tree is not None and set(rule.columns) <= set(columns)]
    passes = {index: _evaluated(db, rule, data.num_rows) for index, rule in enumerate(rules) if index not in usable}
    kept, why = data["selection_kept"].to_pylist(), data["selection_reason"].to_pylist()
    reasons = tuple(sorted({text for text in why if text is not None}))
    place = {text: index for index, text in enumerate(reasons)}
    reason = [-2 if keep is None else -1 if keep else place.get(text, -1) for keep, text in zip(kept, why, strict=True)]
    return Sample(
        data.num_rows,
        num_all,
        columns,
        _numbers(data["duration_s"]),
        passes,
        reasons,
        np.array(reason, np.int16),
    )


def _cut(num_all: int, most: int) -> str:
    """The id below which there are about `most` clips; empty where all fit."""
    if num_all <= most:
        return ""
    return f"{int(most * _SAFETY / num_all * 16**12):012x}"


def _fill(db: duckdb.DuckDBPyConnection, cut: str, most: int) -> list[str]:
    """Make the table `sampled`, with the columns of the wide table; give their names."""
    # A literal, so that it is pushed into each table's files; its digits are ours.
    condition = f"clip_id < '{cut}'" if cut else "true"
    columns = {column.name: column.sql for column in WIDE_COLUMNS}
    tables = {table for column in WIDE_COLUMNS for table in column.tables}
    for table in score_tables():
        view = view_name(table)
        # An older dataset, or a newer one, may hold scores that this release does not know.
        for score in score_columns(db, view):
            if score.is_number and score.name not in columns:
                columns[score.name] = f'{view}."{score.name}"'
                tables.add(table)
    joins = [_SOURCES.get(table) or _OF_CLIP.format(view=view_name(table)) for table in sorted({*tables, "selection"})]
    chosen = "".join(f'({sql}) AS "{name}", ' for name, sql in columns.items())
    db.execute(
        f"""CREATE OR REPLACE TEMP TABLE sampled AS
        SELECT clips.clip_id, clips.video_id, {chosen}
            selection.kept AS selection_kept, selection.reason AS selection_reason
        FROM (FROM clips WHERE {condition} ORDER BY clip_id LIMIT {most}) AS clips
        {" ".join(joins).format(where=condition, and_where=f"AND {condition}")}
        ORDER BY clips.clip_id"""
    )
    return list(columns)


def _scores(db: duckdb.DuckDBPyConnection) -> set[str]:
    return {column.name for table in score_tables() for column in score_columns(db, view_name(table))}


def _numbers(column: Any) -> NDArray[np.float32]:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        column = pc.if_else(column.is_valid(), 0.0, None)
    with np.errstate(over="ignore"):
        return np.asarray(column.cast(pa.float64()).to_numpy(), np.float64).astype(np.float32)


def _evaluated(db: duckdb.DuckDBPyConnection, rule: Rule, num_clips: int) -> NDArray[np.uint8]:
    """What DuckDB says of a rule for each clip of the sample; not known where it cannot be asked."""
    try:
        condition = parse_predicate(rule.predicate).sql
        sql = f"SELECT coalesce(({condition})::INTEGER, 0) FROM sampled ORDER BY clip_id"
        with Answer(db, sql, timeout_s=_OPAQUE_TIMEOUT_S) as answer:
            return np.array([row[0] for row in answer.rows()], np.uint8)
    except ConfigError:
        return np.full(num_clips, _UNKNOWN, np.uint8)


def _packed(values: NDArray[Any]) -> str:
    return base64.b64encode(values.astype(values.dtype.newbyteorder("<")).tobytes()).decode("ascii")
