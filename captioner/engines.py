"""The engine that a config names."""

from __future__ import annotations

from captioner.config import EngineConfig
from captioner.engine import CaptionEngine
from captioner.http_engine import HttpEngine
from captioner.transformers_engine import TransformersEngine
from captioner.vllm_engine import VllmEngine


def make_engine(config: EngineConfig) -> CaptionEngine:
    """An engine that is not set up yet.

    Args:
        config: Names a model.

    Raises:
        ConfigError: The model or the address is wrong.
    """
    assert config.model is not None, "ask `missing` first"
    if config.kind == "http":
        return HttpEngine(config)
    return VllmEngine(config) if config.kind == "vllm" else TransformersEngine(config)


def missing(config: EngineConfig) -> str:
    """What must be configured first; empty where nothing is."""
    return "" if config.model is not None else "needs caption.engine.model"
