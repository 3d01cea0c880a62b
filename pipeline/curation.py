"""The steps of curation, wired: where each stage takes its inputs from, and what its rows depend on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

from pipeline.config import PipelineConfig
from pipeline.dag import Step
from pipeline.ledger import UnitParts
from pipeline.manifest import Manifest
from pipeline.media import MediaLimits
from pipeline.originals import settle_originals
from pipeline.scan import ScanConfig
from pipeline.shots import detector_models
from pipeline.stages.ingest import IngestFiles, IngestInput, distinct_videos, list_inputs, settle_uris
from pipeline.stages.scan import ScanInput, ScanVideos
from schemas import ConfigError, digest

Listing = Callable[[], list[IngestInput]]
"""Every path at the inputs; looked up once for a plan or a run."""


def curation_steps(config: PipelineConfig) -> list[Step]:
    """Every step that a config asks for.

    Raises:
        ConfigError: There is no dataset in the config.
    """
    if config.dataset is None:
        raise ConfigError("there is no dataset: give --dataset DIR, or `dataset:` in the config")
    dataset = config.dataset
    limits = config.limits.to_limits()

    @cache
    def listing() -> list[IngestInput]:
        return list(list_inputs(config.ingest, config.input, exclude=[dataset]))

    return [_ingest_step(config, limits, listing), _scan_step(config.scan, limits, dataset, listing)]


def _ingest_step(config: PipelineConfig, limits: MediaLimits, listing: Listing) -> Step:
    config_digest = config.ingest.output_digest()

    def parts(item: IngestInput) -> UnitParts:
        return UnitParts(
            stage=IngestFiles.name,
            version=IngestFiles.version,
            config=config_digest,
            models=digest({}),
            upstream=item.fingerprint,
        )

    return Step(stage=IngestFiles(config.ingest, limits), inputs=lambda _: listing(), parts=parts)


def _scan_step(config: ScanConfig, limits: MediaLimits, dataset: str, listing: Listing) -> Step:
    models = detector_models(config.detector)
    # A still picture has no cuts: how they are found changes nothing for it.
    of_picture = ScanConfig(
        num_previews=config.num_previews,
        preview_px=config.preview_px,
        preview_quality=config.preview_quality,
    ).output_digest()
    of_video = config.output_digest()

    def inputs(manifest: Manifest) -> Iterator[ScanInput]:
        columns = ["video_id", "uri", "num_bytes", "outcome", "probe"]
        listed = {item.input_id for item in listing()}
        for row in distinct_videos(manifest.read("files", columns), listed).to_pylist():
            del row["outcome"]
            yield ScanInput(**row)

    def parts(item: ScanInput) -> UnitParts:
        return UnitParts(
            stage=ScanVideos.name,
            version=ScanVideos.version,
            config=of_picture if item.is_image else of_video,
            models=digest({}) if item.is_image else models,
            upstream=digest([item.video_id, IngestFiles.version]),
        )

    def settle(manifest: Manifest) -> None:
        files = manifest.read("files", ["uri", "video_id", "outcome"])
        listed = {item.input_id for item in listing()}
        moved = settle_uris(files, manifest.read("videos"), listed)
        manifest.replace("videos", moved, moved["video_id"].to_pylist())
        settle_originals(manifest)

    return Step(
        stage=ScanVideos(config, limits, dataset),
        inputs=inputs,
        parts=parts,
        settle=settle,
        models={config.detector: models},
    )
