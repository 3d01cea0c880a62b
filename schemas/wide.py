"""The wide table: one row a clip with every number that a rule may ask for, derived from the other tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

_FLOAT = pa.float64()

_USELESS = {
    # Where a clip lies is for readers of the footage, not for rules; the page reads it from `clips`.
    "clips": {"start_pts", "end_pts", "time_base_num", "time_base_den", "start_frame", "end_frame"},
    "videos": {
        *("video_id", "uri", "stream_index", "coded_width", "coded_height"),
        *("sample_aspect_num", "sample_aspect_den", "frame_rate_num", "frame_rate_den"),
    },
}
_NAMES = {
    # Of a whole file, where a clip's own would be understood.
    ("videos", "num_bytes"): "video_num_bytes",
    ("videos", "duration_s"): "video_duration_s",
}


@dataclass(frozen=True, slots=True)
class WideColumn:
    """One column of the wide table, and how it comes about."""

    name: str
    type: pa.DataType
    tables: tuple[str, ...]
    """What it is read from, beside `clips`."""
    sql: str
    """An expression over these tables, each under its name in SQL (`scores/scan` is `scores_scan`)."""
    doc: str = ""

    @property
    def field(self) -> pa.Field:
        """The column in an Arrow schema."""
        return pa.field(self.name, self.type, metadata={"doc": self.doc} if self.doc else None)


_DERIVED = (
    WideColumn("duration_s", _FLOAT, (), "clips.end_s - clips.start_s", "Length of the clip, in seconds."),
    WideColumn(
        "aspect_ratio",
        _FLOAT,
        (),
        "clips.crop_width / nullif(clips.crop_height, 0)",
        "Width over height of the picture within its crop.",
    ),
    WideColumn("pixels", pa.int64(), (), "clips.crop_width * clips.crop_height", "Pixels of a frame within its crop."),
    WideColumn(
        "frame_rate",
        _FLOAT,
        ("videos",),
        "videos.frame_rate_num / nullif(videos.frame_rate_den, 0)",
        "Frames a second of the video, as its container or its frames say.",
    ),
    WideColumn(
        "bits_per_pixel",
        _FLOAT,
        ("videos",),
        "8.0 * videos.num_bytes / nullif(videos.width::DOUBLE * videos.height * videos.num_frames, 0)",
        "Bits of the file for each pixel of each frame, sound included.",
    ),
    WideColumn(
        "has_caption",
        pa.bool_(),
        ("captions",),
        "captions.clip_id IS NOT NULL",
        "Whether a caption came with the footage.",
    ),
)


def wide_columns(schemas: Mapping[str, pa.Schema]) -> tuple[WideColumn, ...]:
    """Every column but `clip_id` and `video_id`: of the clip, of its video, its scores, its duplicate.

    Args:
        schemas: The schema of every table by its name.
    """
    columns = _of("clips", schemas["clips"], taken=())
    columns += [column for column in _DERIVED if not column.tables]
    columns += _of("videos", schemas["videos"], taken=[column.name for column in columns])
    columns += [column for column in _DERIVED if column.tables]
    for table, schema in schemas.items():
        if table.startswith("scores/"):
            columns += _of(table, schema, taken=())
    duplicates = schemas["duplicates"]
    columns += [
        WideColumn(
            name, duplicates.field(source).type, ("duplicates",), _finite("duplicates", duplicates.field(source))
        )
        for name, source in (
            ("duplicate_of", "duplicate_of"),
            ("duplicate_method", "method"),
            ("duplicate_similarity", "similarity"),
        )
    ]
    return tuple(columns)


def wide_schema(columns: Sequence[WideColumn]) -> pa.Schema:
    """The table's schema."""
    ids = [pa.field("clip_id", pa.string()), pa.field("video_id", pa.string())]
    return pa.schema([*ids, *(column.field for column in columns)])


def _of(table: str, schema: pa.Schema, taken: Sequence[str]) -> list[WideColumn]:
    """The scalar columns of a table, under names of their own."""
    left_out = {"clip_id", "video_id", *_USELESS.get(table, ())}
    columns = []
    for field in schema:
        if field.name in left_out or pa.types.is_nested(field.type) or pa.types.is_binary(field.type):
            continue
        name = _NAMES.get((table, field.name), f"video_{field.name}" if field.name in taken else field.name)
        doc = (field.metadata or {}).get(b"doc", b"").decode()
        columns.append(WideColumn(name, field.type, () if table == "clips" else (table,), _finite(table, field), doc))
    return columns


def _finite(table: str, field: pa.Field) -> str:
    """The column itself; NULL where it is no finite number, for `'nan' >= 5` is true in DuckDB."""
    column = f'{table.replace("/", "_")}."{field.name}"'
    return f"CASE WHEN isfinite({column}) THEN {column} END" if pa.types.is_floating(field.type) else column
