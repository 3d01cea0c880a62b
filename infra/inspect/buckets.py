"""The buckets of a dataset: what of the kept clips is lost on the way to the sizes at which they train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
from pydantic import ValidationError

from infra.inspect.histogram import Distribution, measure
from pipeline.buckets import (
    BucketConfig,
    Coverage,
    by_bucket_size,
    by_native_size,
    in_all,
    read_groups,
    render_coverage,
)

_MAX_ROWS = 60
_MAX_SIZES = 3


@dataclass(frozen=True, slots=True)
class Buckets:
    """The buckets as a page and a terminal tell them."""

    native: Sequence[Coverage]
    """By native size, the most frequent first."""
    trained: Sequence[Coverage]
    """By the height and width that clips train at, the most frequent first."""
    num_buckets: int
    """Different frames, height and width."""
    frames: Distribution
    """Of the clips, as trained."""
    tokens: Distribution
    """Of the clips."""

    @property
    def total(self) -> Coverage:
        """All clips together."""
        return in_all(self.native)

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        total = self.total.to_json()
        for name in ("height", "width", "sizes"):
            del total[name]
        return {
            "all": total | {"num_buckets": self.num_buckets},
            "by_native_size": [row.to_json() for row in self.native],
            "by_bucket_size": [row.to_json() for row in self.trained],
        }


def read_buckets(db: duckdb.DuckDBPyConnection, described: Mapping[str, Any]) -> Buckets:
    """Measure the buckets.

    Args:
        db: From `infra.inspect.sql.open_views`.
        described: From `Dataset.describe`; a config that cannot be read counts as the default one.
    """
    groups, config = read_groups(db), _config(described)
    distinct = db.execute("SELECT count(*) FROM (SELECT DISTINCT frames, height, width FROM buckets)").fetchall()
    return Buckets(
        by_native_size(groups, config),
        by_bucket_size(groups, config),
        distinct[0][0],
        measure(db, "frames", "buckets"),
        measure(db, "num_tokens", "buckets"),
    )


def buckets_text(found: Buckets) -> str:
    """What is lost by native size, for a terminal."""
    return "\n".join(render_coverage(found.native))


def shown(rows: Sequence[Coverage]) -> list[tuple[Coverage, str]]:
    """As many as fit on a page, each with its most frequent other sizes."""
    return [(row, _sizes(row)) for row in rows[:_MAX_ROWS]]


def _sizes(row: Coverage) -> str:
    few = [
        f"{width}×{height}" + (f" ({clips:,})" if len(row.sizes) > 1 else "")
        for (height, width), clips in list(row.sizes.items())[:_MAX_SIZES]
    ]
    more = len(row.sizes) - len(few)
    return ", ".join([*few, f"{more:,} more"] if more else few)


def _config(described: Mapping[str, Any]) -> BucketConfig:
    config = described.get("config")
    section = config.get("bucket") if isinstance(config, dict) else None
    try:
        return BucketConfig.model_validate(section or {})
    except ValidationError:
        return BucketConfig()
