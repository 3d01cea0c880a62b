"""Everything that `rushes sample` can be told: the sampler's config, and the model that writes prompts out."""

from __future__ import annotations

from pydantic import Field

from captioner.config import EngineConfig
from trainer.sampling import SamplingConfig


class SampleConfig(SamplingConfig):
    """The config of `rushes sample`."""

    expand: EngineConfig = Field(EngineConfig(), json_schema_extra={"affects_output": False})
    """The language model of `--expand`; the prompt that it gave is written into the output."""
