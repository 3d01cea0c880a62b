"""The config of a curation run: what goes in, where it goes, and a section for each stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic.config import JsonDict

from pipeline.buckets.config import BucketConfig
from pipeline.media import MediaLimits
from pipeline.scan.config import ScanConfig
from pipeline.scorers.config import ScorersConfig
from pipeline.stages.dedup import DedupConfig
from pipeline.stages.ingest import IngestConfig
from pipeline.stages.select import SelectConfig
from schemas import Config

_NO_EFFECT: JsonDict = {"affects_output": False}


class ExecutorConfig(Config):
    """Where stages run. Nothing here changes what comes out."""

    kind: Literal["ray", "local"] = Field("ray", json_schema_extra=_NO_EFFECT)
    """`ray`: actors of Ray, here or on a cluster. `local`: threads of this process, for small inputs."""
    address: str | None = Field(None, json_schema_extra=_NO_EFFECT)
    """A running Ray cluster; without it one is started on this machine for the run."""
    cpus: int | None = Field(None, ge=1, json_schema_extra=_NO_EFFECT)
    """Cores of this machine to use; all by default. Not for a cluster with an address."""
    autoscaling: bool = Field(False, json_schema_extra=_NO_EFFECT)
    """Whether the cluster may grow, so that asking for more than it has now is no mistake."""


class LimitsConfig(Config):
    """What decoding one file may use.

    What ended in an error under other limits is not tried again by itself; `rushes run --retry-errors` does that.
    """

    memory_mib: int = Field(2048, ge=64, json_schema_extra=_NO_EFFECT)
    """Memory that a decoder may take."""
    stall_s: float = Field(60.0, gt=0, json_schema_extra=_NO_EFFECT)
    """A decoder without any progress for so long is killed."""
    video_s: float = Field(4 * 3600.0, gt=0, json_schema_extra=_NO_EFFECT)
    """A decoder that takes longer for one piece of a video is killed."""
    max_pixels: int = Field(8192 * 8192, ge=1, json_schema_extra=_NO_EFFECT)
    """Videos with larger frames are refused."""
    max_frames: int = Field(20_000_000, ge=1, json_schema_extra=_NO_EFFECT)
    """Videos with more frames are refused."""
    max_bad_packet_ratio: float = Field(0.5, ge=0, le=1, json_schema_extra=_NO_EFFECT)
    """A video of which more is damaged counts as corrupt."""

    def to_limits(self) -> MediaLimits:
        """The limits as decoders take them."""
        return MediaLimits(
            memory_bytes=self.memory_mib * 2**20,
            stall_s=self.stall_s,
            job_s=self.video_s,
            max_pixels=self.max_pixels,
            max_frames=self.max_frames,
            max_bad_packet_ratio=self.max_bad_packet_ratio,
        )


class PipelineConfig(ScorersConfig):
    """Everything that `rushes run` can be told."""

    input: tuple[str, ...] = Field((), json_schema_extra=_NO_EFFECT)
    """Folders, files, globs, list files (`@LIST.txt`) and URLs."""
    dataset: str | None = Field(None, json_schema_extra=_NO_EFFECT)
    """The dataset folder, or its URL on an object store."""
    max_error_share: float = Field(0.1, ge=0, le=1, json_schema_extra=_NO_EFFECT)
    """Past this share of failed items in one stage the run ends with status 1; all items are done even so."""
    executor: ExecutorConfig = ExecutorConfig()
    limits: LimitsConfig = LimitsConfig()
    ingest: IngestConfig = IngestConfig()
    scan: ScanConfig = ScanConfig()
    dedup: DedupConfig = DedupConfig()
    select: SelectConfig = SelectConfig()
    bucket: BucketConfig = BucketConfig()
