"""Which captions belong together: one model, one prompt, one choice of frames."""

from __future__ import annotations

from captioner.config import CaptionConfig
from captioner.engine import CaptionEngine
from captioner.prompt import Prompt
from schemas import digest


def caption_set(config: CaptionConfig, engine: CaptionEngine, prompt: Prompt) -> str:
    """The digest by which the tables know a set of captions: 32 hexadecimal digits."""
    return digest([engine.digest, prompt.digest, config.frames.output_digest()])
