"""The model's videos of films: made in packs, kept under what they were made from, and not made twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from infra.evaluate.config import EvaluateConfig
from infra.evaluate.films import Film
from schemas import ConfigError
from schemas.ids import digest
from trainer.sampling import ModelSource, Request, Size
from trainer.sampling.provenance import record_of
from trainer.sampling.writing import write

if TYPE_CHECKING:
    from trainer.sampling.sampler import Sampler

VIDEOS_FOLDER = "videos"


def model_digest(config: EvaluateConfig, source: ModelSource) -> str:
    """Of everything that decides what a model makes of a request."""
    text = source.text_encoder.digest if source.text_encoder else None
    return digest([source.digest, source.autoencoder.digest, text, config.sampling.output_digest()])


def make_films(
    films: Sequence[Film],
    config: EvaluateConfig,
    source: ModelSource,
    sampler: Callable[[], Sampler],
    say: Callable[[str], None],
) -> list[Path]:
    """The files of films, those that are not there made now.

    Args:
        films: What is wanted.
        config: How many are made together, and where they go.
        source: The model.
        sampler: Loads the model; called where something is to be made.
        say: Told of the progress.

    Raises:
        ConfigError: A film cannot be made, or a file cannot be written.
    """
    folder = config.out / VIDEOS_FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"out: {folder} cannot be made: {error.strerror or error}") from error
    model = model_digest(config, source)
    paths = [folder / f"{film.key(model)}.mp4" for film in films]
    missing = [(film, path) for film, path in zip(films, paths, strict=True) if not path.exists()]
    for start in range(0, len(missing), config.batch):
        share = missing[start : start + config.batch]
        requests = [
            Request(prompt=film.prompt, size=Size(*film.size), num_frames=film.num_frames, seed=film.seed)
            for film, _ in share
        ]
        for (film, path), sampled in zip(share, sampler().sample(requests), strict=True):
            about = {"prompt": film.prompt, "seed": film.seed, "model_digest": source.digest, "group": film.group.value}
            # The video last: where it is, its prompt is beside it.
            path.with_suffix(".json").write_text(json.dumps(about) + "\n", encoding="utf-8")
            write(path, sampled.frames, config.sampling.rate, config.sampling.crf, record_of(about))
        say(f"{min(start + config.batch, len(missing))} of {len(missing)} videos made")
    return paths
