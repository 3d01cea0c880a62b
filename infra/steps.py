"""All steps of a run, wired: the only place that knows the pipeline and the captioner."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from captioner import CaptionClips, CaptionConfig, CaptionInput, caption_inputs, caption_set, find_prompt, make_engine
from captioner import missing as missing_engine
from captioner.clips import READS
from captioner.repeated import flag_repeated
from infra.config import RunConfig
from pipeline.curation import curation_steps
from pipeline.dag import InputStep, Step, TableStep
from pipeline.ledger import UnitParts
from pipeline.manifest import Manifest
from pipeline.media import MediaLimits
from pipeline.storage import spooled
from schemas import Resources, digest

_SECONDS_A_CLIP = {"vllm": 1.0, "http": 1.0, "transformers": 4.0}
"""Roughly; a large model on a GPU takes about 10 s a clip, of which it does dozens at once."""


def run_steps_of(config: RunConfig) -> list[Step]:
    """Every step that a config asks for.

    Raises:
        ConfigError: What it names cannot be had, or its values do not agree.
    """
    return [*curation_steps(config), caption_step(config.caption, config.limits.to_limits())]


def caption_step(config: CaptionConfig, limits: MediaLimits) -> Step:
    """The captions of the kept clips.

    Raises:
        ConfigError: The model or the prompt cannot be had.
    """
    lacking = missing_engine(config.engine)
    if lacking:
        return TableStep(
            name="caption",
            version=CaptionClips.version,
            reads=READS,
            writes=(),
            compute=lambda dataset: None,
            config="",
            missing=lacking,
        )
    engine, prompt = make_engine(config.engine), find_prompt(config.prompt)
    made = caption_set(config, engine, prompt)
    resources = Resources(cpus=config.engine.cpus, gpus=config.engine.gpus)
    stage = CaptionClips(config, engine, prompt, made, limits, spooled, resources)
    config_digest = digest([config.output_digest(), prompt.digest])

    def inputs(manifest: Manifest) -> Iterator[CaptionInput]:
        return caption_inputs(manifest, _SECONDS_A_CLIP[config.engine.kind])

    def parts(item: CaptionInput) -> UnitParts:
        return UnitParts(
            stage=stage.name,
            version=stage.version,
            config=config_digest,
            models=engine.digest,
            upstream=item.upstream,
        )

    return InputStep(
        stage=stage,
        inputs=inputs,
        parts=parts,
        models={"caption": engine.digest},
        own={"captions": ("caption_set", made)},
        settle=partial(_settle, caption_set=made, max_same=config.checks.max_same),
    )


def _settle(manifest: Manifest, caption_set: str, max_same: int) -> None:
    flag_repeated(manifest, caption_set, max_same)
