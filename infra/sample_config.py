"""Everything that `rushes sample` can be told: the sampler's config, the model that writes prompts out, the policy."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from captioner.config import EngineConfig
from infra.policy.gate import OFF, ON
from trainer.sampling import SamplingConfig


class SampleConfig(SamplingConfig):
    """The config of `rushes sample`."""

    expand: EngineConfig = Field(EngineConfig(), json_schema_extra={"affects_output": False})
    """The language model of `--expand` and of the page; the prompt that it gave is written into the output."""
    policy: str = Field(ON, min_length=1, json_schema_extra={"affects_output": False})
    """What is refused: `default` is infra/recipes/policy.yaml, a path is a file like it, and `off` refuses nothing."""

    @field_validator("policy", mode="before")
    @classmethod
    def _says_off(cls, value: Any) -> Any:
        # To YAML `off` and `on` are truth values.
        return {False: OFF, True: ON}.get(value, value) if isinstance(value, bool) else value
