"""The steps of an experiment, each a command of ours in a process of its own: what one has done the next run keeps."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.experiment.config import ExperimentConfig
from schemas import ConfigError
from trainer.run_folder import HELD_OUT, STEPS

Say = Callable[[str], None]
ASPECTS = ("framed", "color", "shape", "motion")
"""By which models are compared."""
_DONE_FILE = "films.json"
_STDERR = 2


@dataclass(frozen=True, slots=True)
class Judged:
    """What one training came to."""

    seed: int
    steps: int
    tokens: int
    """Seen in training, text counted."""
    seconds: float
    """Of training, measurements between steps counted."""
    held_out: float
    """Loss on videos of which nothing was trained on, measured on the running mean of the weights."""
    scores: dict[str, float]
    """By aspect, 0 to 1."""
    ceilings: dict[str, float]
    """The same of rendered footage."""


def rushes(say: Say, *args: str) -> None:
    """Run a command to its end; what it says goes where ours goes.

    Raises:
        ConfigError: It ends with another status than 0.
    """
    say(f"rushes {' '.join(args)}")
    _run([sys.executable, "-m", "infra.cli", *args], f"rushes {args[0]}")


def make_films(config: ExperimentConfig, folder: Path, say: Say, *, is_square: bool) -> None:
    """Render the films of an experiment, in their native sizes or cropped to squares."""
    wanted = [config.films.model_dump(mode="json"), is_square]
    done = folder / _DONE_FILE
    if done.exists() and json.loads(done.read_text(encoding="utf-8")) == wanted:
        return
    say(f"{config.films.num} films to {folder}")
    films = config.films
    given = ["--seed", str(films.seed), "--num", str(films.num), "--scenes", films.scenes]
    command = [sys.executable, "-m", "infra.demo.moving", "--out", str(folder), *given]
    _run([*command, "--square"] if is_square else command, "infra.demo.moving")
    done.write_text(json.dumps(wanted), encoding="utf-8")


def make_shards(config: ExperimentConfig, films: Path, dataset: Path, say: Say) -> None:
    """Curate films and encode them; a dataset that is there is gone on with."""
    rushes(say, "run", str(config.curation), "--input", str(films), "--dataset", str(dataset), "--executor", "local")


def train_and_judge(config: ExperimentConfig, dataset: Path, run: Path, seed: int, steps: int, say: Say) -> Judged:
    """Train a model up to a number of steps, and judge it there; what was judged before is read.

    Args:
        config: The experiment's.
        dataset: With shards.
        run: The run's folder.
        seed: Of the model.
        steps: In all; a run that has fewer goes on.
        say: Told of the commands.
    """
    verdicts = run / f"judged-{steps}"
    table = verdicts / "table.json"
    if not table.exists():
        _train(config, dataset, run, seed, steps, say)
        rushes(
            *(say, "evaluate", str(config.evaluation), "--only", "adherence", "--out", str(verdicts), "clip=null"),
            *(f"sampling.model={json.dumps(str(run))}", f"num_prompts={config.num_prompts}"),
            *(f"scenes={config.films.scenes}", "sizes.between=[]", "sizes.larger=[]"),
        )
    logged = _log(run, STEPS, steps)
    lines = {line["name"]: line for line in json.loads(table.read_text(encoding="utf-8"))["lines"]}
    return Judged(
        seed=seed,
        steps=steps,
        tokens=sum(int(row["tokens"]) for row in logged),
        seconds=sum(row["elapsed_s"] for row in logged),
        held_out=float(_log(run, HELD_OUT, steps)[-1]["loss"]),
        scores={name: lines[name]["score"] for name in ASPECTS if name in lines},
        ceilings={name: lines[name]["ceiling"] for name in ASPECTS if name in lines},
    )


def _train(config: ExperimentConfig, dataset: Path, run: Path, seed: int, steps: int, say: Say) -> None:
    rushes(
        *(say, "train", str(config.training), "--dataset", str(dataset), "--out", str(run), "--steps", str(steps)),
        *(["--resume"] if (run / "run.json").exists() else []),
        # Measured where a training is judged, and kept there.
        *(f"held_out.every_steps={config.base_steps}", f"checkpoint.every_steps={config.base_steps}"),
        *(f"seed={seed}", "samples.prompts=[]", "optimizer.schedule=constant", "optimizer.decay_steps=0"),
    )


def _log(run: Path, name: str, steps: int) -> list[dict[str, float]]:
    """The lines of a run's log up to a step, that of the step among them.

    Raises:
        ConfigError: It is not there.
    """
    rows = [json.loads(line) for line in (run / name).read_text(encoding="utf-8").splitlines()]
    found = [row for row in rows if row["step"] <= steps]
    if not found or found[-1]["step"] != steps:
        raise ConfigError(f"{run / name}: has no step {steps}: remove {run}, and run the experiment again")
    return found


def _run(command: Sequence[str], name: str) -> None:
    status = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=_STDERR).returncode
    if status:
        raise ConfigError(f"{name} ended with status {status}; what it said stands above")
