"""Training under Ray Train: the ranks of a run as workers of the cluster that curated its clips."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.ray_cluster import cluster
from schemas import ConfigError
from trainer.config import TrainConfig
from trainer.metrics import StepRecord
from trainer.run_folder import STEPS, RunFolder

Report = Callable[[StepRecord], None]
_LOOK_EVERY_S = 0.5
"""Between two looks at what the first rank has logged."""
_SCRATCH = ".ray"
"""Ray Train's own files, below the run's folder while it runs."""


def train_on_ray(
    config: TrainConfig,
    dataset: str,
    out: Path,
    *,
    resume: bool,
    num_ranks: int,
    address: str | None,
    max_failures: int,
    report: Report,
) -> None:
    """Train on workers of a Ray cluster, each with a GPU where the cluster has some.

    A worker that dies takes its group with it; the group is started again and goes on from the newest checkpoint.

    Args:
        config: How.
        dataset: A dataset with shards, which every node reaches.
        out: The run's folder, on a file system that every node sees.
        resume: Whether a run that is there goes on.
        num_ranks: Workers.
        address: A running cluster; without it one is started on this machine.
        max_failures: How often the group may be started again.
        report: Told of each step.

    Raises:
        ConfigError: The config, the dataset and the folder do not go together, the cluster is too small, or the
            training came to nothing.
    """
    from infra.training_samples import samples_of
    from trainer.loop import begin

    folder = RunFolder(out.resolve())
    # A worker runs in another folder.
    dataset = dataset if "://" in dataset else str(Path(dataset).resolve())
    config = _from_anywhere(config)
    show = samples_of(config, folder.path)
    begin(folder, config, dataset, resume=resume, num_ranks=num_ranks, show=show)
    with cluster(address):
        import ray
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchTrainer
        from ray.train.v2.api.exceptions import TrainingFailedError

        there = ray.cluster_resources()  # type: ignore[no-untyped-call]
        on_gpus = there.get("GPU", 0) > 0
        _refuse_too_many(num_ranks, int(there.get("GPU", 0) if on_gpus else there.get("CPU", 0)), on_gpus=on_gpus)
        scratch = folder.path / _SCRATCH
        trainer = TorchTrainer(
            _rank,
            train_loop_config={"config": config.model_dump(mode="json"), "dataset": dataset, "out": str(folder.path)},
            scaling_config=ScalingConfig(num_workers=num_ranks, use_gpu=on_gpus),
            run_config=RunConfig(
                name="ranks", storage_path=str(scratch), failure_config=FailureConfig(max_failures=max_failures)
            ),
        )
        try:
            with _told(folder.path / STEPS, report):
                trainer.fit()
        except TrainingFailedError as error:
            raise ConfigError(f"{out}: the training ended on Ray: {_first_cause(error)}") from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _rank(given: dict[str, Any]) -> None:
    """What each worker does, its process group joined."""
    import torch
    from ray.train.torch import get_device

    from infra.training_samples import samples_of
    from trainer.loop import train

    if torch.cuda.is_available():
        torch.cuda.set_device(get_device())
    config, out = TrainConfig.model_validate(given["config"]), Path(given["out"])
    # The run has begun, and a group that is started again goes on with it.
    train(config, given["dataset"], out, resume=True, report=lambda record: None, show=samples_of(config, out))


def _from_anywhere(config: TrainConfig) -> TrainConfig:
    """A config whose recipe is found from any folder."""
    if config.samples.recipe is None:
        return config
    samples = config.samples.model_copy(update={"recipe": str(Path(config.samples.recipe).resolve())})
    return config.model_copy(update={"samples": samples})


def _refuse_too_many(num_ranks: int, there: int, *, on_gpus: bool) -> None:
    if num_ranks > there:
        raise ConfigError(
            f"command line: --ranks is {num_ranks}, and the Ray cluster has {there} {'GPUs' if on_gpus else 'CPUs'}"
        )


def _first_cause(error: BaseException) -> str:
    """The sentence of our own mistake, where it was one; else the last line of what a worker said."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    for line in reversed(lines):
        _, found, sentence = line.partition("ConfigError: ")
        if found:
            return sentence
    return lines[-1].strip() if lines else type(error).__name__


class _Log:
    """The log of steps, read as it grows; what a group that was started again cuts off and does again is told once.

    Args:
        path: Of the log.
        report: Told of each step.
    """

    def __init__(self, path: Path, report: Report) -> None:
        self._path, self._report = path, report
        self._offset = self._step = 0
        if path.exists():
            self.read(lambda record: None)

    def read(self, report: Report | None = None) -> None:
        """Tell of what has come."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(max(self._offset - 1, 0))
            found = file.read()
        if self._offset and not found.startswith(b"\n"):
            # It was cut back.
            self._offset = 0
            found = self._path.read_bytes()
        elif self._offset:
            found = found[1:]
        # A line that is still being written is read the next time.
        whole = found[: found.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            record = StepRecord(**json.loads(line))
            if record.step > self._step:
                self._step = record.step
                (report or self._report)(record)


@contextmanager
def _told(path: Path, report: Report) -> Iterator[None]:
    """Tell of each step that is logged while the block runs."""
    log, stop = _Log(path, report), threading.Event()

    def watch() -> None:
        while not stop.wait(_LOOK_EVERY_S):
            log.read()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        log.read()
