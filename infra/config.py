"""Everything that `rushes run` can be told: the configs of the curation, the captioner, and what training reads."""

from __future__ import annotations

from captioner import CaptionConfig
from pipeline.config import PipelineConfig
from trainer.encode_config import EncodeConfig
from trainer.shard_config import ShardConfig


class RunConfig(PipelineConfig):
    """The config of a run."""

    caption: CaptionConfig = CaptionConfig()
    encode: EncodeConfig = EncodeConfig()
    shard: ShardConfig = ShardConfig()
