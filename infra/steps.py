"""All steps of a run, wired: the only place that knows the pipeline, the captioner and the trainer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from infra.caption_steps import caption_steps
from infra.config import RunConfig
from infra.training_steps import encode_step, shard_step
from pipeline.curation import curation_steps
from pipeline.dag import InputStep, Step
from pipeline.manifest import Manifest


def run_steps_of(config: RunConfig) -> list[Step]:
    """Every step that a config asks for.

    Raises:
        ConfigError: What it names cannot be had, or its values do not agree.
    """
    limits = config.limits.to_limits()
    curation = [without_forgotten(step) for step in curation_steps(config)]
    captions = caption_steps(config.caption, limits)
    encode = encode_step(config, limits)
    return [*curation, *captions, encode, shard_step(config, encode, captions[0])]


def without_forgotten(step: Step) -> Step:
    """The step of the scan, passing over videos that were forgotten; any other as it is.

    What is not scanned again has no clips, and so nothing else.
    """
    if not isinstance(step, InputStep) or step.name != "scan":
        return step
    listed = step.inputs

    def inputs(manifest: Manifest) -> Iterator[Any]:
        forgotten = set(manifest.read("tombstones", ["video_id"])["video_id"].to_pylist())
        return (item for item in listed(manifest) if item.video_id not in forgotten)

    return replace(step, inputs=inputs)
