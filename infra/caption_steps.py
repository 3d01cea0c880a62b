"""The captioner's steps, wired: captions of clips, and of whole videos from these."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from captioner import (
    CaptionClips,
    CaptionConfig,
    CaptionInput,
    CaptionVideos,
    ExtractMerger,
    ModelMerger,
    VideoParts,
    caption_inputs,
    caption_set,
    find_prompt,
    make_engine,
    missing,
    video_parts,
)
from captioner.frames import ClipReader
from captioner.repeated import flag_repeated
from captioner.video_captions import Merger
from pipeline.dag import InputStep
from pipeline.ledger import UnitParts
from pipeline.manifest import Manifest
from pipeline.media import MediaLimits
from pipeline.storage import spooled
from schemas import Resources, digest

_SECONDS_A_CLIP = {"vllm": 1.0, "http": 1.0, "transformers": 4.0}
"""Roughly; a large model on a GPU takes about 10 s a clip, of which it does dozens at once."""
_SECONDS_A_PART = {"extract": 1e-4, "model": 0.1}
"""Roughly: of those that one request merges, a model reads dozens."""


def caption_steps(config: CaptionConfig, limits: MediaLimits) -> list[InputStep]:
    """Captions of the kept clips, and of their videos.

    Raises:
        ConfigError: The model or a prompt cannot be had, or the model's context is too small.
    """
    return [caption_step(config, limits), video_caption_step(config)]


def caption_step(config: CaptionConfig, limits: MediaLimits) -> InputStep:
    """The captions of the kept clips.

    Raises:
        ConfigError: The model or the prompt cannot be had.
    """
    engine, prompt = make_engine(config.engine), find_prompt(config.prompt)
    made = caption_set(config, engine, prompt)
    lacking = missing(config.engine)
    open_reader = partial(ClipReader, config.frames, limits, spooled)
    stage = CaptionClips(config, engine, prompt, made, open_reader, _resources(config))
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

    def settle(manifest: Manifest) -> None:
        flag_repeated(manifest, made, config.checks.max_same)

    return InputStep(
        stage=stage,
        inputs=inputs,
        parts=parts,
        models={} if lacking else {"caption": engine.digest},
        own={"captions": ("caption_set", made)},
        settle=settle,
        missing=lacking,
    )


def video_caption_step(config: CaptionConfig) -> InputStep:
    """The captions of videos, from those of their clips.

    Raises:
        ConfigError: The model or a prompt cannot be had, or the model's context is too small.
    """
    engine, video = make_engine(config.engine), config.video
    made = caption_set(config, engine, find_prompt(config.prompt))
    if video.merge == "model":
        prompt = find_prompt(video.prompt, key="caption.video.prompt")
        merger: Merger = ModelMerger(config, engine, prompt)
        stage = CaptionVideos(merger, made, _resources(config))
        config_digest = digest([config.output_digest(), video.output_digest(), prompt.digest])
        models = {} if missing(config.engine) else {"video_caption": engine.digest}
    else:
        stage = CaptionVideos(ExtractMerger(config), made, Resources(cpus=1))
        config_digest = digest([video.merge, video.kind, video.max_words])
        models = {}

    def parts(item: VideoParts) -> UnitParts:
        return UnitParts(
            stage=stage.name,
            version=stage.version,
            config=config_digest,
            models=digest(models),
            upstream=digest([made, item.upstream]),
        )

    return InputStep(
        stage=stage,
        inputs=partial(video_parts, caption_set=made, kind=video.kind, seconds_a_part=_SECONDS_A_PART[video.merge]),
        parts=parts,
        models=models,
        own={"video_captions": ("caption_set", made)},
        # Also where no model has a part in it: there are no captions to read.
        missing=missing(config.engine),
    )


def _resources(config: CaptionConfig) -> Resources:
    return Resources(cpus=config.engine.cpus, gpus=config.engine.gpus)
