"""What the buckets lose of the kept clips: pixels and frames, for each native size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from pipeline.buckets.config import BucketConfig
from pipeline.dataset import Dataset
from schemas.bucket import Bucket

NATIVE_WIDTH = "coalesce(nullif(crop_width, 0), width)"
"""SQL over `clips`: the picture's width in pixels, black borders cut off."""
NATIVE_HEIGHT = "coalesce(nullif(crop_height, 0), height)"

_GROUPS = f"""
    SELECT native_height, native_width, b.height, b.width, count(*) AS num_clips,
        sum(num_frames)::BIGINT AS num_frames, sum(b.frames)::BIGINT AS num_taken,
        sum(num_frames - 1 - (b.frames - 1) * b.frame_step)::BIGINT AS num_after_last
    FROM buckets b JOIN (
        SELECT clip_id, {NATIVE_HEIGHT} AS native_height, {NATIVE_WIDTH} AS native_width, num_frames FROM clips
    ) USING (clip_id)
    GROUP BY ALL ORDER BY num_clips DESC, native_height, native_width, b.height, b.width
"""


@dataclass(kw_only=True)
class Coverage:
    """What becomes of the clips of one native size. Shares are 0 to 1."""

    height: int
    """Native, in pixels, black borders cut off."""
    width: int
    num_clips: int = 0
    num_frames: int = 0
    """Of all its clips together."""
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)
    """Clips by the bucket's (height, width), the most frequent first."""
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


def coverage(dataset: Dataset, config: BucketConfig) -> list[Coverage]:
    """What is lost for each native size, the most frequent size first.

    Args:
        dataset: With the tables `clips` and `buckets`.
        config: With which the buckets were made.
    """
    clips, buckets = dataset.manifest.dataset("clips"), dataset.manifest.dataset("buckets")
    if clips is None or buckets is None:
        return []
    with duckdb.connect(":memory:") as db:
        db.execute("SET python_enable_replacements = false")
        db.register("clips", clips)
        db.register("buckets", buckets)
        return of_groups(db.sql(_GROUPS).to_arrow_table(), config)


def of_groups(groups: pa.Table, config: BucketConfig) -> list[Coverage]:
    """Groups of clips with one native and one bucket size, put together by native size."""
    grid = config.grid()
    cell = grid.cell_height, grid.cell_width
    by_size: dict[tuple[int, int], Coverage] = {}
    for row in groups.to_pylist():
        native = row["native_height"], row["native_width"]
        found = by_size.setdefault(native, Coverage(height=native[0], width=native[1]))
        resized = Bucket(1, row["height"], row["width"]).resize(*native, cell)
        area, resized_area = native[0] * native[1], resized.height * resized.width
        clips = row["num_clips"]
        found.num_clips += clips
        found.num_frames += row["num_frames"]
        found.sizes[row["height"], row["width"]] = clips
        # Sums for now: shares once every group is in.
        found.crop_ratio += clips * (1 - row["height"] * row["width"] / resized_area)
        found.downscale_ratio += clips * max(0.0, 1 - resized_area / area)
        found.cut_ratio += row["num_after_last"]
        found.skipped_ratio += row["num_frames"] - row["num_taken"] - row["num_after_last"]
        found.num_stretched += clips * (resized.height > native[0] or resized.width > native[1])
    for found in by_size.values():
        found.crop_ratio /= found.num_clips
        found.downscale_ratio /= found.num_clips
        found.cut_ratio /= max(1, found.num_frames)
        found.skipped_ratio /= max(1, found.num_frames)
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
    clips, frames = sum(row.num_clips for row in rows), max(1, sum(row.num_frames for row in rows))

    def share(values: Iterable[float], total: int) -> str:
        return f"{sum(values) / total:.1%}"

    return (
        f"{name:>11}  {clips:>10}  {share((row.crop_ratio * row.num_clips for row in rows), clips):>8}"
        f"  {share((row.downscale_ratio * row.num_clips for row in rows), clips):>7}"
        f"  {share((row.skipped_ratio * row.num_frames for row in rows), frames):>7}"
        f"  {share((row.cut_ratio * row.num_frames for row in rows), frames):>6}  {_sizes(rows)}"
    )


def _sizes(rows: Sequence[Coverage]) -> str:
    if len(rows) > 1:
        return f"{len({size for row in rows for size in row.sizes})} sizes"
    sizes = list(rows[0].sizes.items())
    shown = [f"{width}x{height}" + (f" ({clips})" if len(sizes) > 1 else "") for (height, width), clips in sizes[:3]]
    more = f", {len(sizes) - 3} more" if len(sizes) > 3 else ""
    stretched = f"; {rows[0].num_stretched} stretched" if rows[0].num_stretched else ""
    return ", ".join(shown) + more + stretched
