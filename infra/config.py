"""Everything that `rushes run` can be told: the curation's config, and the captioner's."""

from __future__ import annotations

from captioner import CaptionConfig
from pipeline.config import PipelineConfig


class RunConfig(PipelineConfig):
    """The config of a run."""

    caption: CaptionConfig = CaptionConfig()
