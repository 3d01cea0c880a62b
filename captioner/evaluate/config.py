"""The config of `rushes captioner evaluate`."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from captioner.config import EngineConfig, FramesConfig
from schemas import Config


class RivalConfig(Config):
    """One captioner that is measured."""

    name: str
    """What the table calls it."""
    engine: EngineConfig
    """Its model."""
    prompt: str = "structured"
    """What it is asked."""
    is_structured: bool = True
    """Whether it answers with a structured caption, of which the dense text is made; else its answer is the text."""
    max_tokens: int = Field(512, ge=16)
    """Of an answer."""


class EvaluateConfig(Config):
    """What is measured, and on what."""

    captioners: tuple[RivalConfig, ...]
    """One, or several to compare on the same clips."""
    frames: FramesConfig = FramesConfig()
    """What they see of a clip."""
    answers: tuple[str, ...] = ()
    """Files of what is known of the clips (see captioner/finetune/answers.py); none for the dataset's captions."""
    caption_set: str | None = None
    """Which of the dataset's caption sets is the reference where `answers` is not set."""
    num_clips: int = Field(1000, ge=1)
    """Most clips, drawn evenly."""
    judge: EngineConfig | None = None
    """A model that says how well a caption agrees with the reference; none for no judge."""
    readers: int = Field(2, ge=1)
    """Decoders that prepare clips."""
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [one.name for one in self.captioners]
        if not names or len(set(names)) < len(names):
            raise ValueError("captioners must be at least one, and no two of one name")
        for one in self.captioners:
            if one.engine.model is None:
                raise ValueError(f"captioners: {one.name}: engine.model is not set")
        return self
