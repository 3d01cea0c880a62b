"""The buckets as a table: how many clips train at each size, and what of them is lost on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb

_MAX_BUCKETS = 200
_MAX_SIZES = 4
_SQL = f"""
WITH fitted AS (
    SELECT frames, height, width, frame_step, num_tokens, end_s - start_s AS seconds, num_frames,
        coalesce(crop_width, clips.width_px) AS native_width, coalesce(crop_height, clips.height_px) AS native_height
    FROM buckets JOIN (SELECT * RENAME (width AS width_px, height AS height_px) FROM clips) AS clips USING (clip_id)
), lost AS (
    SELECT *,
        1 - least(native_width * height / (native_height * width), native_height * width / (native_width * height))
            AS area_lost,
        1 - least(frames / ceil(num_frames / frame_step), 1.0) AS frames_lost
    FROM fitted
), sizes AS (
    SELECT frames, height, width, frame_step, native_width || '×' || native_height AS native_size, count(*) AS number
    FROM lost GROUP BY ALL
), told AS (
    SELECT frames, height, width, frame_step, count(*) AS num_sizes,
        arg_max(native_size, number, {_MAX_SIZES}) AS native_sizes
    FROM sizes GROUP BY ALL
)
SELECT frames, height, width, frame_step, count(*), any_value(num_tokens)::BIGINT, sum(seconds),
    any_value(native_sizes), any_value(num_sizes), avg(area_lost), avg(frames_lost)
FROM lost JOIN told USING (frames, height, width, frame_step)
GROUP BY frames, height, width, frame_step ORDER BY 5 DESC, 1, 2, 3, 4
"""


@dataclass(frozen=True, slots=True)
class BucketRow:
    """One bucket and its clips."""

    frames: int
    height: int
    width: int
    frame_step: int
    num_clips: int
    num_tokens: int
    """Of one clip."""
    seconds: float
    """Of footage, in all."""
    native_sizes: list[str]
    """The most frequent sizes that its clips come from."""
    num_sizes: int
    area_lost: float
    """Mean share of the picture that is cropped away so that the shape fits, 0 to 1."""
    frames_lost: float
    """Mean share of the frames, after every `frame_step`-th is taken, that do not fit, 0 to 1."""


def bucket_rows(db: duckdb.DuckDBPyConnection) -> list[BucketRow]:
    """Every bucket, the fullest first."""
    rows: list[Any] = db.execute(_SQL).fetchall()
    return [BucketRow(*row) for row in rows]


def shown(rows: list[BucketRow]) -> list[BucketRow]:
    """As many as fit on a page."""
    return rows[:_MAX_BUCKETS]
