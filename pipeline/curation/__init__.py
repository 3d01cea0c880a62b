"""The steps of curation, wired: where each stage takes its inputs from, and what its rows depend on."""

from __future__ import annotations

from functools import cache

from pipeline.buckets.config import check_budget
from pipeline.config import PipelineConfig
from pipeline.curation.choice import bucket_step, dedup_step, select_step
from pipeline.curation.footage import ingest_step, scan_step
from pipeline.curation.scorers import scorer_steps
from pipeline.dag import Step
from pipeline.listing import Listing
from pipeline.stages.ingest import list_inputs
from schemas import ConfigError


def curation_steps(config: PipelineConfig) -> list[Step]:
    """Every step that a config asks for.

    Raises:
        ConfigError: There is no dataset in the config, a model that it names cannot be had, or its values do not
            agree.
    """
    if config.dataset is None:
        raise ConfigError("there is no dataset: give --dataset DIR, or `dataset:` in the config")
    dataset = config.dataset
    limits = config.limits.to_limits()

    @cache
    def listing() -> Listing:
        """Every path at the inputs; looked up once for a plan or a run."""
        return Listing(list_inputs(config.ingest, config.input, exclude=[dataset]))

    check_budget(config.bucket, config.scan.max_clip_s)
    scorers = scorer_steps(config, dataset)
    return [
        ingest_step(config.ingest, limits, listing),
        scan_step(config.scan, limits, dataset, listing),
        *scorers,
        dedup_step(config.dedup),
        select_step(config.select, scorers),
        bucket_step(config.bucket),
    ]


__all__ = ["curation_steps"]
