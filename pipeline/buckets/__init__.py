"""Native sizes, rates and lengths to the grid on which clips are trained."""

from __future__ import annotations

from pipeline.buckets.assign import BucketArrays, assign, bucket_of
from pipeline.buckets.config import BucketConfig, check_budget
from pipeline.buckets.coverage import (
    Coverage,
    by_bucket_size,
    by_native_size,
    coverage,
    in_all,
    read_groups,
    render_coverage,
)

__all__ = [
    "BucketArrays",
    "BucketConfig",
    "Coverage",
    "assign",
    "bucket_of",
    "by_bucket_size",
    "by_native_size",
    "check_budget",
    "coverage",
    "in_all",
    "read_groups",
    "render_coverage",
]
