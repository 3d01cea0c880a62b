"""What the buckets lose of the kept clips: pixels and frames, for each native size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from pipeline.buckets.config import BucketConfig
from pipeline.dataset import Dataset
from pipeline.views import open_tables
from schemas.bucket import Bucket

NATIVE_WIDTH = "coalesce(nullif(crop_width, 0), width)"
"""SQL over `clips`: the picture's width in pixels, black borders cut off."""
NATIVE_HEIGHT = "coalesce(nullif(crop_height, 0), height)"

_GROUPS = f"""
    SELECT native_height, native_width, b.height, b.width, count(*) AS num_clips, sum(seconds) AS seconds,
        sum(num_frames)::BIGINT AS num_frames, sum(b.frames)::BIGINT AS num_taken,
        sum(num_frames - 1 - (b.frames - 1) * b.frame_step)::BIGINT AS num_after_last
    FROM buckets b JOIN (
        SELECT clip_id, greatest({NATIVE_HEIGHT}, 1) AS native_height, greatest({NATIVE_WIDTH}, 1) AS native_width,
            greatest(num_frames, 1) AS num_frames, coalesce(end_s - start_s, 0) AS seconds
        FROM clips
    ) USING (clip_id)
    WHERE b.height >= 1 AND b.width >= 1 AND b.frames >= 1 AND b.frame_step >= 1
    GROUP BY ALL ORDER BY num_clips DESC, native_height, native_width, b.height, b.width
"""
_NATIVE, _BUCKET = ("native_height", "native_width"), ("height", "width")


@dataclass(kw_only=True)
class Coverage:
    """What becomes of the clips of one native size, or of those that train at one size. Shares are 0 to 1."""

    height: int
    """In pixels; a native one has its black borders cut off."""
    width: int
    num_clips: int = 0
    seconds: float = 0.0
    """Of all its clips together."""
    num_frames: int = 0
    """Of all its clips together."""
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)
    """Clips by the other (height, width), the bucket's of a native size: the most frequent first."""
    crop_ratio: float = 0.0
    """Share of the resized picture that is cut off, mean over the clips."""
    downscale_ratio: float = 0.0
    """Share of the native pixels that the resize takes away, mean over the clips."""
    skipped_ratio: float = 0.0
    """Share of the frames that `frame_step` passes over."""
    cut_ratio: float = 0.0
    """Share of the frames after the last one taken."""
    num_stretched: int = 0
    """Clips with a side that had to be stretched to one cell."""

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, its other sizes as a list."""
        sizes = [
            {"height": height, "width": width, "num_clips": clips} for (height, width), clips in self.sizes.items()
        ]
        return asdict(self) | {"sizes": sizes}


def coverage(dataset: Dataset, config: BucketConfig) -> list[Coverage]:
    """What is lost for each native size, the most frequent size first.

    Args:
        dataset: With the tables `clips` and `buckets`.
        config: With which the buckets were made.
    """
    with open_tables(dataset.manifest, ("clips", "buckets")) as db:
        return by_native_size(read_groups(db), config)


def read_groups(db: duckdb.DuckDBPyConnection) -> pa.Table:
    """The clips by native size and bucket's size, for both functions below.

    Args:
        db: Knows `clips` and `buckets`, as from `pipeline.views.open_tables`.
    """
    return db.sql(_GROUPS).to_arrow_table()


def by_native_size(groups: pa.Table, config: BucketConfig) -> list[Coverage]:
    """What is lost for each native size, the most frequent size first."""
    return _put_together(groups, config, _NATIVE, _BUCKET)


def by_bucket_size(groups: pa.Table, config: BucketConfig) -> list[Coverage]:
    """What is lost for each height and width that clips train at, the most frequent first."""
    return _put_together(groups, config, _BUCKET, _NATIVE)


def in_all(rows: Iterable[Coverage]) -> Coverage:
    """All sizes together; its own size and the other ones are left out."""
    rows = list(rows)
    clips, frames = sum(row.num_clips for row in rows), sum(row.num_frames for row in rows)
    return Coverage(
        height=0,
        width=0,
        num_clips=clips,
        seconds=sum(row.seconds for row in rows),
        num_frames=frames,
        crop_ratio=sum(row.crop_ratio * row.num_clips for row in rows) / max(1, clips),
        downscale_ratio=sum(row.downscale_ratio * row.num_clips for row in rows) / max(1, clips),
        skipped_ratio=sum(row.skipped_ratio * row.num_frames for row in rows) / max(1, frames),
        cut_ratio=sum(row.cut_ratio * row.num_frames for row in rows) / max(1, frames),
        num_stretched=sum(row.num_stretched for row in rows),
    )


def _put_together(
    groups: pa.Table, config: BucketConfig, key: tuple[str, str], other: tuple[str, str]
) -> list[Coverage]:
    grid = config.grid()
    cell = grid.cell_height, grid.cell_width
    by_size: dict[tuple[int, int], Coverage] = {}
    for row in groups.to_pylist():
        height, width = (row[name] for name in key)
        found = by_size.setdefault((height, width), Coverage(height=height, width=width))
        native = row["native_height"], row["native_width"]
        resized = Bucket(1, row["height"], row["width"]).resize(*native, cell)
        area, resized_area = native[0] * native[1], resized.height * resized.width
        clips = row["num_clips"]
        found.num_clips += clips
        found.seconds += row["seconds"]
        found.num_frames += row["num_frames"]
        found.sizes[row[other[0]], row[other[1]]] = clips
        # Sums for now: shares once every group is in.
        found.crop_ratio += clips * (1 - row["height"] * row["width"] / resized_area)
        found.downscale_ratio += clips * max(0.0, 1 - resized_area / area)
        found.cut_ratio += row["num_after_last"]
        found.skipped_ratio += row["num_frames"] - row["num_taken"] - row["num_after_last"]
        found.num_stretched += clips * (resized.height > native[0] or resized.width > native[1])
    for found in by_size.values():
        found.crop_ratio /= found.num_clips
        found.downscale_ratio /= found.num_clips
        found.cut_ratio /= found.num_frames
        found.skipped_ratio /= found.num_frames
    return sorted(by_size.values(), key=lambda found: (-found.num_clips, found.height, found.width))


def render_coverage(rows: Sequence[Coverage], most: int = 30) -> list[str]:
    """The table as lines of text, the `most` most frequent sizes and all others together."""
    if not rows:
        return ["no clip has a bucket"]
    lines = [f"{'native':>11}  {'clips':>10}  {'cropped':>8}  {'scaled':>7}  {'skipped':>7}  {'cut':>6}  buckets"]
    lines += [_line(f"{row.width}x{row.height}", [row]) for row in rows[:most]]
    if rows[most:]:
        lines.append(_line(f"{len(rows) - most} more", rows[most:]))
    lines.append(_line("all", rows))
    lines.append(
        "cropped: of the resized picture; scaled: native pixels given up by the resize; skipped: frames between"
    )
    lines.append("those taken; cut: frames after the last one taken. No clip is dropped, split or padded.")
    return lines


def _line(name: str, rows: Sequence[Coverage]) -> str:
    found = in_all(rows)
    return (
        f"{name:>11}  {found.num_clips:>10}  {found.crop_ratio:>8.1%}  {found.downscale_ratio:>7.1%}"
        f"  {found.skipped_ratio:>7.1%}  {found.cut_ratio:>6.1%}  {_sizes(rows)}"
    )


def _sizes(rows: Sequence[Coverage]) -> str:
    if len(rows) > 1:
        return f"{len({size for row in rows for size in row.sizes})} sizes"
    sizes = list(rows[0].sizes.items())
    shown = [f"{width}x{height}" + (f" ({clips})" if len(sizes) > 1 else "") for (height, width), clips in sizes[:3]]
    more = f", {len(sizes) - 3} more" if len(sizes) > 3 else ""
    stretched = f"; {rows[0].num_stretched} stretched" if rows[0].num_stretched else ""
    return ", ".join(shown) + more + stretched
