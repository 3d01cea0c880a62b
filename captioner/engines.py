"""The engine that a config names."""

from __future__ import annotations

from collections.abc import Iterator

from captioner.config import EngineConfig
from captioner.engine import CaptionEngine, CaptionReply, Feed
from captioner.http_engine import HttpEngine
from captioner.transformers_engine import TransformersEngine
from captioner.vllm_engine import VllmEngine


class NoEngine:
    """In the place of an engine whose model is not named: a stage with it can be planned, and not run."""

    model_id = ""
    digest = ""

    def setup(self) -> None:
        """Nobody may come here.

        Raises:
            AssertionError: Always.
        """
        raise AssertionError("a stage without a model is not run: ask `missing` first")

    def generate(self, feed: Feed) -> Iterator[CaptionReply]:
        """As `setup`."""
        raise AssertionError("a stage without a model is not run: ask `missing` first")

    def close(self) -> None:
        """Nothing is held."""


def make_engine(config: EngineConfig) -> CaptionEngine:
    """An engine that is not set up yet; `NoEngine` where the config names no model.

    Args:
        config: Which one.

    Raises:
        ConfigError: The model or the address is wrong.
    """
    if missing(config):
        return NoEngine()
    if config.kind == "http":
        return HttpEngine(config)
    return VllmEngine(config) if config.kind == "vllm" else TransformersEngine(config)


def missing(config: EngineConfig) -> str:
    """What must be configured first; empty where nothing is."""
    return "" if config.model is not None else "needs caption.engine.model"
