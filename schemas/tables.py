"""The manifest's tables: for each its pyarrow schema, its key, and by what its rows are replaced."""

from __future__ import annotations

from dataclasses import dataclass, fields

import pyarrow as pa

from schemas.model_scores import MODEL_SCORES
from schemas.scan_scores import ScanScores
from schemas.wide import wide_columns, wide_schema

FORMAT_VERSION = 1
"""Raised when a column is removed or changes its meaning; a new column does not raise it."""

VOLATILE_COLUMNS = frozenset({"run_id", "created_at", "modified_at", "elapsed_s"})
"""The only columns in which two equal runs may differ."""

_STRING = pa.string()
_INT = pa.int64()
_FLOAT = pa.float64()
_BOOL = pa.bool_()
_TIME = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the manifest."""

    name: str
    """Also its folder under `manifest/`, so `scores/scan` lies one deeper."""
    schema: pa.Schema
    key: tuple[str, ...]
    """Columns that tell its rows apart."""
    owner: str
    """The column that names the input whose rows are replaced together."""


def _columns(*names: str, of: pa.DataType) -> list[pa.Field]:
    return [pa.field(name, of) for name in names]


_SPAN = _columns("start_pts", "end_pts", "time_base_num", "time_base_den", of=_INT)

_PART = pa.struct([*_columns("start_s", "end_s", of=_FLOAT), pa.field("text", _STRING)])

_LATENT = _columns("latent_channels", "latent_frames", "latent_height", "latent_width", of=_INT)

_SCAN_SCORES = [pa.field(score.name, _FLOAT, metadata={"doc": score.metadata["doc"]}) for score in fields(ScanScores)]


def _of_clip(name: str, *columns: pa.Field, owner: str = "video_id") -> Table:
    """A table with one row a clip."""
    return Table(name, pa.schema([*_columns("clip_id", "video_id", of=_STRING), *columns]), ("clip_id",), owner)


_TABLES = (
    Table(
        "files",
        pa.schema(
            [
                *_columns("uri", "video_id", of=_STRING),
                pa.field("num_bytes", _INT),
                pa.field("modified_at", _TIME),
                *_columns("etag", "outcome", "error_kind", "error", of=_STRING),
                *_columns("license", "source_url", "title", "caption", of=_STRING),
                # The probe as JSON: what the scan is told of the video before it decodes it.
                pa.field("probe", _STRING),
            ]
        ),
        key=("uri",),
        owner="uri",
    ),
    Table(
        "videos",
        pa.schema(
            [
                *_columns("video_id", "uri", of=_STRING),
                pa.field("num_bytes", _INT),
                *_columns("container", "codec", "pixel_format", of=_STRING),
                *_columns("width", "height", "coded_width", "coded_height", "rotation_deg", of=_INT),
                pa.field("is_mirrored", _BOOL),
                *_columns("sample_aspect_num", "sample_aspect_den", of=_INT),
                *_columns("frame_rate_num", "frame_rate_den", of=_INT),
                *_columns("is_vfr", "is_image", of=_BOOL),
                *_columns("num_frames", "num_bad_packets", "num_repaired_pts", of=_INT),
                pa.field("duration_s", _FLOAT),
                pa.field("has_audio", _BOOL),
                *_columns("color_primaries", "color_transfer", "color_matrix", of=_STRING),
                *_columns("color_range", "field_order", of=_STRING),
                pa.field("stream_index", _INT),
            ]
        ),
        key=("video_id",),
        owner="video_id",
    ),
    Table(
        "shots",
        pa.schema(
            [
                pa.field("video_id", _STRING),
                pa.field("shot_index", _INT),
                *_SPAN,
                *_columns("start_frame", "end_frame", of=_INT),
                *_columns("transition_in", "transition_out", "detector", of=_STRING),
            ]
        ),
        key=("video_id", "shot_index"),
        owner="video_id",
    ),
    Table(
        "clips",
        pa.schema(
            [
                *_columns("clip_id", "video_id", of=_STRING),
                pa.field("shot_index", _INT),
                *_SPAN,
                *_columns("start_s", "end_s", of=_FLOAT),
                *_columns("start_frame", "end_frame", "num_frames", of=_INT),
                *_columns("width", "height", "crop_x", "crop_y", "crop_width", "crop_height", of=_INT),
                *_columns("transition_in", "transition_out", of=_STRING),
            ]
        ),
        key=("clip_id",),
        owner="video_id",
    ),
    _of_clip("scores/scan", *_SCAN_SCORES),
    *(_of_clip(f"scores/{scorer}", *columns) for scorer, columns in MODEL_SCORES.items()),
    # What perceptual comparison needs of each clip, made while it is decoded; see `pipeline.dedup.fingerprint`.
    _of_clip(
        "fingerprints",
        *_columns("interval_s", "change_step", of=_FLOAT),
        *_columns("picture", "changes", of=pa.binary()),
        pa.field("content", _STRING),
    ),
    _of_clip(
        "duplicates",
        *_columns("duplicate_of", "method", of=_STRING),
        *_columns("similarity", "offset_s", of=_FLOAT),
    ),
    _of_clip(
        "selection",
        pa.field("kept", _BOOL),
        pa.field("reason", _STRING),
        *_columns("score_value", "threshold", "duration_s", of=_FLOAT),
        # How often to draw it beside others, 1 where nothing is balanced and 0 where it is dropped.
        pa.field("weight", _FLOAT),
        pa.field("rule_digest", _STRING),
    ),
    Table(
        "labels",
        pa.schema(
            [
                *_columns("clip_id", "reviewer", of=_STRING),
                pa.field("good", _BOOL),
                pa.field("note", _STRING),
                pa.field("created_at", _TIME),
            ]
        ),
        key=("clip_id", "reviewer"),
        owner="clip_id",
    ),
    _of_clip(
        "buckets",
        *_columns("frames", "height", "width", "frame_rate_num", "frame_rate_den", "frame_step", "num_tokens", of=_INT),
    ),
    Table(
        "captions",
        pa.schema(
            [
                *_columns("clip_id", "video_id", "kind", "caption_set", of=_STRING),
                *_columns("text", "outcome", "model_id", of=_STRING),
                *_columns("num_prompt_tokens", "num_output_tokens", of=_INT),
                pa.field("flags", pa.list_(_STRING)),
                pa.field("alignment", _FLOAT),
            ]
        ),
        key=("clip_id", "kind", "caption_set"),
        owner="video_id",
    ),
    Table(
        "video_captions",
        pa.schema(
            [
                *_columns("video_id", "caption_set", "text", of=_STRING),
                # The captions of its clips, in order of time.
                pa.field("parts", pa.list_(_PART)),
                *_columns("outcome", "merge", "model_id", of=_STRING),
                pa.field("flags", pa.list_(_STRING)),
            ]
        ),
        key=("video_id", "caption_set"),
        owner="video_id",
    ),
    # What stage `encode` has made of each clip; stage `shard` packs it.
    Table(
        "latents",
        pa.schema(
            [
                *_columns("clip_id", "video_id", "latent_set", "autoencoder_digest", "preprocess_digest", of=_STRING),
                *_columns("frames", "height", "width", "frame_rate_num", "frame_rate_den", of=_INT),
                *_LATENT,
                *_columns("num_tokens", "num_bytes", of=_INT),
                pa.field("sha256", _STRING),
            ]
        ),
        key=("clip_id", "latent_set"),
        owner="video_id",
    ),
    Table(
        "samples",
        pa.schema(
            [
                *_columns("clip_id", "video_id", "shard_set", "shard", "sample_key", of=_STRING),
                pa.field("member_names", pa.list_(_STRING)),
                *_columns("member_offsets", "member_sizes", of=pa.list_(_INT)),
                *_columns("frames", "height", "width", "frame_rate_num", "frame_rate_den", of=_INT),
                *_LATENT,
                pa.field("num_tokens", _INT),
                # Of the latents that a row of texts belongs to; of its own set in a row of latents.
                pa.field("latent_set", _STRING),
                # One entry for each caption of the sample, in the same order.
                *_columns("caption_kinds", "caption_sets", of=pa.list_(_STRING)),
                pa.field("num_text_tokens", pa.list_(_INT)),
                *_columns("autoencoder_digest", "text_encoder_digest", "preprocess_digest", "sha256", of=_STRING),
            ]
        ),
        key=("clip_id", "shard_set"),
        owner="shard",
    ),
    Table(
        "tombstones",
        pa.schema([*_columns("video_id", "reason", of=_STRING), pa.field("created_at", _TIME)]),
        key=("video_id",),
        owner="video_id",
    ),
    Table(
        "ledger",
        pa.schema(
            _columns(
                *("unit_key", "stage", "input_id", "outcome", "error_kind", "error", "parts", "run_id"),
                of=_STRING,
            )
        ),
        key=("unit_key",),
        owner="input_id",
    ),
)

WIDE_COLUMNS = wide_columns({table.name: table.schema for table in _TABLES})
"""What the table `wide` tells of a clip, and how each column comes about."""

TABLES = {
    **{table.name: table for table in _TABLES},
    "wide": Table("wide", wide_schema(WIDE_COLUMNS), key=("clip_id",), owner="video_id"),
}
"""Every table by its name."""
