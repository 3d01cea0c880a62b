"""Stage: each kept clip gets the bucket of its native size, rate and length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa

from pipeline.buckets.assign import Grid, assign
from pipeline.buckets.config import BucketConfig, check_budget
from pipeline.buckets.coverage import NATIVE_HEIGHT, NATIVE_WIDTH
from pipeline.dataset import Dataset
from pipeline.views import open_tables
from schemas import TABLES

__all__ = ["NAME", "READS", "VERSION", "WRITES", "BucketConfig", "check_budget", "compute"]

NAME = "bucket"
VERSION = 1
READS: Mapping[str, tuple[str, ...]] = {
    "clips": (
        *("clip_id", "video_id", "start_pts", "end_pts", "time_base_num", "time_base_den", "num_frames"),
        *("width", "height", "crop_width", "crop_height"),
    ),
    "selection": ("clip_id", "kept"),
}
WRITES = ("buckets",)

_BATCH_ROWS = 65_536
_NATIVE = f"""
    SELECT clip_id, video_id, {NATIVE_WIDTH} AS width, {NATIVE_HEIGHT} AS height, num_frames,
        end_pts - start_pts AS ticks, time_base_num, time_base_den
    FROM clips SEMI JOIN (SELECT clip_id FROM selection WHERE kept) AS chosen USING (clip_id)
"""


def compute(dataset: Dataset, config: BucketConfig) -> None:
    """Replace the table `buckets`: one row for each kept clip.

    Args:
        dataset: With the tables `clips` and `selection`.
        config: The grid and the budget.
    """
    manifest = dataset.manifest
    with open_tables(manifest, ["clips", "selection"]) as db:
        native = db.sql(_NATIVE).to_arrow_reader(_BATCH_ROWS)
        schema = TABLES["buckets"].schema
        rows = _rows(native, config.grid(), schema)
        manifest.overwrite("buckets", pa.RecordBatchReader.from_batches(schema, rows))


def _rows(batches: pa.RecordBatchReader, grid: Grid, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    names = ("width", "height", "num_frames", "ticks", "time_base_num", "time_base_den")
    for batch in batches:
        native = {name: batch[name].fill_null(1).to_numpy(zero_copy_only=False) for name in names}
        found = assign(**native, grid=grid)
        columns = [pa.array(getattr(found, name)) for name in schema.names[2:]]
        yield pa.record_batch([batch["clip_id"], batch["video_id"], *columns], schema=schema)
