"""The steps over whole tables that choose clips: duplicates, selection by rules, and the buckets of what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pipeline.buckets.config import BucketConfig
from pipeline.dag import InputStep, TableStep
from pipeline.manifest import Manifest
from pipeline.stages import bucket, dedup, select
from pipeline.stages.dedup import DedupConfig
from pipeline.stages.select import SelectConfig

_ROWS_A_S = 300_000
"""Clips that the selection judges and writes in a second, roughly."""
_FINGERPRINTS_A_S = 2_000
"""Clips that are compared in a second, roughly."""


def dedup_step(config: DedupConfig) -> TableStep:
    """Clips that show what another one shows."""
    return TableStep(
        name="dedup",
        version=dedup.VERSION,
        reads=dedup.reads(config),
        writes=("duplicates",),
        compute=partial(dedup.compute, config=config),
        config=config.output_digest(),
        cost_s=partial(_cost_s, rows_a_s=_FINGERPRINTS_A_S),
    )


def select_step(config: SelectConfig, scorers: Sequence[InputStep]) -> TableStep:
    """The verdict on each clip, from the tables that its rules ask and those of all scorers that are configured."""
    asked = select.required_tables(config)
    configured = [table for step in scorers if not step.missing for table in step.writes]
    tables = dict.fromkeys([*asked, *configured, "duplicates"])
    return TableStep(
        name="select",
        version=select.VERSION,
        reads={table: ("clip_id",) if table != "videos" else ("video_id",) for table in tables},
        writes=("wide", "selection"),
        compute=partial(select.compute, config=config),
        config=config.output_digest(),
        cost_s=partial(_cost_s, rows_a_s=_ROWS_A_S),
    )


def bucket_step(config: BucketConfig) -> TableStep:
    """The native size of each kept clip on the model's grid."""
    return TableStep(
        name=bucket.NAME,
        version=bucket.VERSION,
        reads=bucket.READS,
        writes=bucket.WRITES,
        compute=partial(bucket.compute, config=config),
        config=config.output_digest(),
        cost_s=partial(_cost_s, rows_a_s=_ROWS_A_S),
    )


def _cost_s(manifest: Manifest, *, rows_a_s: float) -> float:
    return manifest.count("clips") / rows_a_s
