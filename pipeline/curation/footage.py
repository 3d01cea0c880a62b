"""The steps that make clips of footage: ingest and scan."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pipeline.dag import InputStep
from pipeline.ledger import UnitParts
from pipeline.listing import Listing, distinct_videos, settle_uris
from pipeline.manifest import Manifest
from pipeline.media import MediaLimits
from pipeline.originals import settle_originals
from pipeline.scan import ScanConfig
from pipeline.shots import detector_models
from pipeline.stages.ingest import IngestConfig, IngestFiles, IngestInput
from pipeline.stages.scan import ScanInput, ScanVideos
from schemas import digest


def ingest_step(config: IngestConfig, limits: MediaLimits, listing: Callable[[], Listing]) -> InputStep:
    """Each path at the inputs becomes a row of `files`."""
    config_digest = config.output_digest()

    def parts(item: IngestInput) -> UnitParts:
        return UnitParts(
            stage=IngestFiles.name,
            version=IngestFiles.version,
            config=config_digest,
            models=digest({}),
            upstream=item.fingerprint,
        )

    return InputStep(stage=IngestFiles(config, limits), inputs=lambda _: listing().inputs(), parts=parts)


def scan_step(config: ScanConfig, limits: MediaLimits, dataset: str, listing: Callable[[], Listing]) -> InputStep:
    """Each distinct video is decoded once."""
    models = detector_models(config.detector)
    # A still picture has no cuts: how they are found changes nothing for it.
    of_picture = ScanConfig(
        num_previews=config.num_previews,
        preview_px=config.preview_px,
        preview_quality=config.preview_quality,
    ).output_digest()
    of_video = config.output_digest()

    def inputs(manifest: Manifest) -> Iterator[ScanInput]:
        for row in distinct_videos(manifest, listing(), ["video_id", "uri", "num_bytes", "probe"]):
            yield ScanInput(**row)  # type: ignore[arg-type]

    def parts(item: ScanInput) -> UnitParts:
        return UnitParts(
            stage=ScanVideos.name,
            version=ScanVideos.version,
            config=of_picture if item.is_image else of_video,
            models=digest({}) if item.is_image else models,
            upstream=digest([item.video_id, IngestFiles.version]),
        )

    def settle(manifest: Manifest) -> None:
        settle_uris(manifest, listing())
        settle_originals(manifest)

    return InputStep(
        stage=ScanVideos(config, limits, dataset),
        inputs=inputs,
        parts=parts,
        settle=settle,
        models={config.detector: models},
    )
