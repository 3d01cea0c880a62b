"""Tables of the report that are counts by kind: the material, what failed, what gives no clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from schemas import ErrorKind

_MAX_VALUES = 12
_MAX_EXAMPLES = 20
_MAX_SHOTS = 24
_MAX_TEXT = 300
"""Characters of a message from outside."""
# As in the funnel: hashes of 64 bits stand for the keys.
_UNCLIPPED = """
FROM shots WHERE hash(video_id, shot_index) NOT IN (SELECT hash(video_id, shot_index) FROM clips)
"""
_SECONDS = "(end_pts - start_pts) * time_base_num / time_base_den"


@dataclass(frozen=True, slots=True)
class Facet:
    """How often each value of one property occurs."""

    name: str
    unit: str
    values: tuple[tuple[str, int], ...]
    """The most frequent ones first."""
    num_others: int
    """Items whose value is not listed."""

    @property
    def tallest(self) -> int:
        """The largest count."""
        return max((number for _, number in self.values), default=0)


@dataclass(frozen=True, slots=True)
class Failure:
    """One kind of error, and some of what it met."""

    stage: str
    kind: str
    count: int
    examples: tuple[tuple[str, str], ...]
    """File and message, in the order of the names."""


@dataclass(frozen=True, slots=True)
class Unclipped:
    """Shots that gave no clip, the longest first: the ones that a lower threshold would bring back first."""

    count: int
    shots: tuple[dict[str, Any], ...]
    num_videos: int
    """Scanned videos without a single clip."""
    videos: tuple[str, ...]


_FACETS = (
    ("kind", "videos", "videos", "CASE WHEN is_image THEN 'still image' ELSE 'video' END"),
    ("size", "videos", "videos", "width || '×' || height"),
    ("shape", "videos", "videos", "aspect"),
    ("codec", "videos", "videos", "codec"),
    ("pixel format", "videos", "videos", "pixel_format"),
    ("container", "videos", "videos", "regexp_extract(container, '^[^,]*(,[^,]*)?')"),
    ("frames a second", "videos", "videos", "rate"),
    ("turned", "videos", "videos", "if(rotation_deg = 0, 'upright', rotation_deg || '° clockwise')"),
    ("transfer", "videos", "videos", "color_transfer"),
    ("field order", "videos", "videos", "field_order"),
    ("damage", "videos", "videos", "damage"),
    ("how clips begin", "clips", "clips", "transition_in"),
    ("how clips end", "clips", "clips", "transition_out"),
    ("border", "clips", "clips", "border"),
    ("ignored files by ending", "files", "ignored", "ending"),
)
_SOURCES = {
    "videos": """(SELECT *,
        CASE WHEN width / height BETWEEN 1.76 AND 1.80 THEN '16:9'
            WHEN width / height BETWEEN 0.555 AND 0.57 THEN '9:16'
            WHEN width / height BETWEEN 1.32 AND 1.35 THEN '4:3'
            WHEN width / height BETWEEN 0.74 AND 0.76 THEN '3:4'
            WHEN width / height BETWEEN 1.49 AND 1.51 THEN '3:2'
            WHEN width / height BETWEEN 0.98 AND 1.02 THEN 'square'
            WHEN width / height BETWEEN 1.84 AND 1.91 THEN '1.85:1'
            WHEN width / height BETWEEN 2.3 AND 2.42 THEN '2.35:1'
            WHEN width > height THEN 'another landscape' ELSE 'another portrait' END AS aspect,
        CASE WHEN is_vfr THEN 'variable'
            ELSE format('{:g}', round(frame_rate_num / frame_rate_den, 2)) END AS rate,
        CASE WHEN num_bad_packets > 0 THEN 'bad packets'
            WHEN num_repaired_pts > 0 THEN 'repaired times'
            WHEN num_bad_packets = 0 THEN 'none' END AS damage
        FROM videos)""",
    "clips": """(SELECT *, CASE WHEN crop_width < width OR crop_height < height THEN 'cropped away'
        WHEN crop_width IS NOT NULL THEN 'none' END AS border FROM clips)""",
    "ignored": r"""(SELECT nullif(lower(regexp_extract(uri, '(\.[A-Za-z0-9]{1,8})$', 1)), '') AS ending
        FROM files WHERE outcome = 'ignored')""",
}


def facets(db: duckdb.DuckDBPyConnection) -> list[Facet]:
    """The properties that tell anything: those with a value at all."""
    counted = []
    for name, unit, source, expression in _FACETS:
        rows = db.execute(
            f"""SELECT coalesce(nullif(({expression})::VARCHAR, ''), 'unknown') AS v, count(*)
            FROM {_SOURCES[source]} GROUP BY v ORDER BY 2 DESC, 1"""
        ).fetchall()
        shown, rest = rows[:_MAX_VALUES], rows[_MAX_VALUES:]
        if any(value != "unknown" for value, _ in shown):
            counted.append(Facet(name, unit, tuple(shown), sum(number for _, number in rest)))
    return counted


def failures(db: duckdb.DuckDBPyConnection) -> list[Failure]:
    """What failed, by stage and kind, the most frequent first."""
    rows = db.execute(
        f"""
        WITH failed AS (
            SELECT 'ingest' AS stage, coalesce(error_kind, 'unknown') AS kind, uri, error
            FROM files WHERE outcome = 'error'
            UNION ALL
            SELECT stage, coalesce(ledger.error_kind, 'unknown'), coalesce(videos.uri, input_id), ledger.error
            FROM ledger LEFT JOIN videos ON videos.video_id = input_id
            WHERE ledger.outcome = 'error' AND stage <> 'ingest'
        )
        SELECT stage, kind, count(*),
            arg_min({{'uri': uri, 'error': left(coalesce(error, ''), {_MAX_TEXT})}}, uri, {_MAX_EXAMPLES})
        FROM failed GROUP BY stage, kind ORDER BY 3 DESC, 1, 2
        """
    ).fetchall()
    return [
        Failure(stage, kind, number, tuple((some["uri"], some["error"]) for some in examples))
        for stage, kind, number, examples in rows
    ]


def unclipped(db: duckdb.DuckDBPyConnection) -> Unclipped:
    """The shots and the videos without a clip."""
    number = db.execute(f"SELECT count(*) {_UNCLIPPED}").fetchall()[0][0]
    cursor = db.execute(
        f"""WITH longest AS (
            SELECT video_id, shot_index, {_SECONDS} AS seconds, end_frame - start_frame AS num_frames,
                start_pts * time_base_num / time_base_den AS start_s, transition_in, transition_out
            {_UNCLIPPED} ORDER BY seconds DESC, video_id, shot_index LIMIT {_MAX_SHOTS}
        )
        SELECT longest.*, uri FROM longest LEFT JOIN videos USING (video_id)
        ORDER BY seconds DESC, video_id, shot_index"""
    )
    names = [column[0] for column in cursor.description]
    shots = tuple(dict(zip(names, row, strict=True)) for row in cursor.fetchall())
    barren = "FROM videos ANTI JOIN clips USING (video_id) WHERE num_frames IS NOT NULL"
    num_videos = db.execute(f"SELECT count(*) {barren}").fetchall()[0][0]
    names_of = db.execute(f"SELECT uri {barren} ORDER BY uri LIMIT {_MAX_SHOTS}").fetchall()
    return Unclipped(number, shots, num_videos, tuple(row[0] for row in names_of))


def totals(db: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """The few numbers that come first."""
    rows = db.execute(
        """SELECT
            (SELECT count(*) FROM files), (SELECT coalesce(sum(num_bytes), 0)::BIGINT FROM files),
            (SELECT count(*) FROM videos), (SELECT coalesce(sum(duration_s), 0) FROM videos),
            (SELECT count(*) FROM shots),
            (SELECT count(*) FROM clips), (SELECT coalesce(sum(end_s - start_s), 0) FROM clips),
            (SELECT count(*) FROM files WHERE outcome = 'error')
                + (SELECT count(*) FROM ledger WHERE outcome = 'error' AND stage <> 'ingest')
        """
    ).fetchall()
    names = ("files", "bytes", "videos", "videos_s", "shots", "clips", "clips_s", "num_errors")
    return dict(zip(names, rows[0], strict=True))


def error_counts(found: Sequence[Failure]) -> dict[str, int]:
    """How many of each kind, over all stages."""
    kinds: dict[str, int] = {}
    for failure in found:
        kinds[failure.kind] = kinds.get(failure.kind, 0) + failure.count
    return kinds


_MEANINGS = {
    ErrorKind.empty: "no bytes at all",
    ErrorKind.not_a_file: "a pipe, a device or a broken link; never opened",
    ErrorKind.not_media: "no demuxer that is allowed knows these bytes",
    ErrorKind.playlist: "only points to other files; never followed",
    ErrorKind.no_video: "media without pictures",
    ErrorKind.unsupported_codec: "no decoder for its pictures",
    ErrorKind.encrypted: "cannot be read without a key",
    ErrorKind.corrupt: "nothing decodes, or too much of it is damaged",
    ErrorKind.too_large: "over the limit of pixels or frames",
    ErrorKind.timeout: "decoding stood still or took too long",
    ErrorKind.out_of_memory: "decoding wanted more memory than allowed",
    ErrorKind.decoder_crash: "the decoder's process died",
    ErrorKind.worker_crash: "the worker died, twice",
    ErrorKind.io: "could not be read; the next run tries again",
    ErrorKind.changed: "changed while being read; the next run tries again",
    ErrorKind.bug: "our own mistake; the next run tries again",
}


def meaning(kind: str) -> str:
    """A kind of error in a few words; none for a kind of a later release."""
    return _MEANINGS.get(ErrorKind(kind), "") if kind in ErrorKind.__members__ else ""
