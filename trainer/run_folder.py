"""The folder of a run: what it is, what it has pinned, and its logs.

```text
RUN/
  run.json          the resolved config, the sets of samples and their digests, the widths of latents and texts
  samples.parquet   the samples as they were when the run began: a dataset that grows does not change a run
  steps.jsonl       one line a step
  heldout.jsonl     one line a measurement on held-out videos
  guard.jsonl       steps whose gradient was too large, with the clips that had the largest losses
  bad_samples.jsonl samples that were left out, and why
  checkpoints/      see `trainer.checkpoint`
  samples/          STEP-NUMBER.mp4: what the model made while it trained
  model/            the running mean of the weights, at the end and at each set of samples: see `trainer.export`
```
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas import Config, ConfigError, digest
from trainer.config import TrainConfig
from trainer.sample_rows import SAMPLES_FILE, SampleRows, load_rows

RUN_FILE = "run.json"
STEPS, HELD_OUT, GUARD, BAD = "steps.jsonl", "heldout.jsonl", "guard.jsonl", "bad_samples.jsonl"
_LOGS = (STEPS, HELD_OUT, GUARD, BAD)


@dataclass(frozen=True, slots=True)
class Pinned:
    """What a run is, from its beginning to its end."""

    dataset: str
    latent_set: str
    text_set: str
    digests: Mapping[str, str]
    """Of autoencoder, preprocess and text encoder."""
    latent_channels: int
    text_width: int
    """Numbers in a token of the text encoder; 0 where no sample has a text."""
    rows: SampleRows

    def to_json(self) -> dict[str, Any]:
        """All but the rows, and their digest."""
        kept = {name: getattr(self, name) for name in self.__slots__ if name != "rows"}
        return {**kept, "samples": self.rows.digest}


class RunFolder:
    """A run's folder on a file system that all ranks see.

    Args:
        path: Where.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def is_started(self) -> bool:
        """Whether there is a run in it."""
        return (self.path / RUN_FILE).exists()

    def start(self, config: TrainConfig, pinned: Pinned) -> None:
        """Write down what the run is; last the file by which it counts as started.

        Raises:
            ConfigError: It cannot be written.
        """
        about = {"config": config.model_dump(mode="json"), "data": pinned.to_json()}
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            pinned.rows.save(self.path / SAMPLES_FILE)
            scratch = self.path / f".{RUN_FILE}.tmp"
            scratch.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
            scratch.replace(self.path / RUN_FILE)
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be written: {error.strerror or error}") from error

    def load(self, config: TrainConfig) -> Pinned:
        """What the run has pinned.

        Raises:
            ConfigError: It cannot be read, or the config is another one.
        """
        path = self.path / RUN_FILE
        try:
            about = json.loads(path.read_text(encoding="utf-8"))
            data = dict(about["data"])
            samples = data.pop("samples")
            before = TrainConfig.model_validate(about["config"])
            pinned = Pinned(**data, rows=load_rows(self.path / SAMPLES_FILE))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{path}: is not the file of a run: {str(error).splitlines()[0]}") from error
        if pinned.rows.digest != samples:
            raise ConfigError(f"{self.path / SAMPLES_FILE}: is damaged: it holds other samples than the run began with")
        if comparable(before) != comparable(config):
            change = _first_difference(_fixed(before), _fixed(config))
            raise ConfigError(f"{self.path}: its run has another config: {change}; name another --out")
        return pinned

    def run_digest(self, config: TrainConfig, pinned: Pinned) -> str:
        """What a checkpoint must be of to be taken up."""
        return digest([comparable(config), pinned.to_json()])

    def append(self, log: str, record: Mapping[str, Any]) -> None:
        """Add a line to a log."""
        with (self.path / log).open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def cut_back(self, step: int) -> None:
        """Take out of the logs what came after a step: it will come again."""
        for log in _LOGS:
            path = self.path / log
            if not path.exists():
                continue
            kept = [line for line in path.read_text(encoding="utf-8").splitlines() if _step_of(line) <= step]
            scratch = path.with_name(f".{log}.tmp")
            scratch.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
            scratch.replace(path)


def _step_of(line: str) -> float:
    """The step of a line; infinite for one that was cut off."""
    try:
        step: float = json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return float("inf")
    return step


def comparable(config: TrainConfig) -> str:
    """A digest of what may not change from one part of a run to the next.

    More steps may be asked for, and that the rate falls over the last of them, unless it depends on them all along.
    """
    return _fixed(config).output_digest()


def _fixed(config: TrainConfig) -> TrainConfig:
    if config.optimizer.schedule == "constant":
        return config.model_copy(update={"steps": 1})
    return config


def _first_difference(old: Config, new: Config, path: str = "") -> str:
    """The first key that changes what comes out, with both values."""
    for name, field in type(old).model_fields.items():
        before, after = getattr(old, name), getattr(new, name)
        extra = field.json_schema_extra
        has_effect = not (isinstance(extra, dict) and extra.get("affects_output") is False)
        if isinstance(before, Config) and before.output_digest() != after.output_digest():
            return _first_difference(before, after, f"{path}{name}.")
        if before != after and has_effect and not isinstance(before, Config):
            return f"{path}{name} was {before!r} and is {after!r}"
    raise AssertionError(f"{path} does not differ")
