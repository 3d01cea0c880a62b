"""The steps that give clips scores from their preview pictures, their embeddings and their captions."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.dag import InputStep
from pipeline.ledger import UnitParts
from pipeline.manifest import Manifest
from pipeline.scorers import Scorer
from pipeline.scorers.config import ScorersConfig
from pipeline.stages.score import ScoreClips
from pipeline.stages.video_clips import VideoClips, video_clips
from schemas import Config, digest


def scorer_steps(config: ScorersConfig, dataset: str) -> list[InputStep]:
    """One step a scorer, also those that are not configured.

    Raises:
        ConfigError: A model that the config names is not there, or is not what it says.
    """
    return [scorer_step(choice.scorer, choice.config, dataset, missing=choice.missing) for choice in config.choices()]


def scorer_step(scorer: Scorer, config: Config, dataset: str, *, missing: str = "") -> InputStep:
    """The clips of each video are given the scorer's values."""
    config_digest = config.output_digest()
    models = {} if missing else scorer.models()

    def inputs(manifest: Manifest) -> Iterator[VideoClips]:
        return video_clips(manifest, scorer.needs, scorer.seconds_a_clip)

    def parts(item: VideoClips) -> UnitParts:
        return UnitParts(
            stage=scorer.name,
            version=scorer.version,
            config=config_digest,
            models=digest(dict(models)),
            upstream=item.upstream,
        )

    return InputStep(stage=ScoreClips(scorer, dataset), inputs=inputs, parts=parts, models=models, missing=missing)
