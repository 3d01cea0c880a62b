"""Run a stage over its inputs in this process; `ray_executor` does the same on a cluster."""

from __future__ import annotations

import copy
import itertools
import json
import os
import queue
import threading
import traceback
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar

from pipeline.worklist import Entry, Worklist
from schemas import ConfigError, ErrorKind, Input, MediaError, Result, Stage

In = TypeVar("In", bound=Input)

_SENTINEL = object()
_SETUP = threading.Lock()
"""Threads that import one package at the same time may meet it half made, where its modules import each other."""


class Executor(Protocol):
    """What runs stages: exactly one result for each input, in any order, whatever happens to the input."""

    start_up_s: float
    """How long it took to be ready for work, in seconds."""

    def check(self, stages: Sequence[Stage[Any]]) -> None:
        """Refuse what these stages ask for and this executor can never give.

        Raises:
            ConfigError: A stage asks for more than there is.
        """

    def run(self, stage: Stage[In], work: Worklist) -> Iterator[Result]:
        """Do all inputs, the most costly first; results come as they are ready, and the list is told of each."""

    def close(self) -> None:
        """Let go of workers."""


class LocalExecutor:
    """Workers are threads of this process, each with its own copy of the stage.

    Decoding runs in a child process for each worker, and hashing and array arithmetic let go of the
    interpreter's lock, so threads keep every core busy.

    Args:
        cpus: How many cores to use; all that this process may run on, without it.
    """

    def __init__(self, cpus: int | None = None) -> None:
        self.cpus = cpus or len(os.sched_getaffinity(0))
        self.start_up_s = 0.0

    def check(self, stages: Sequence[Stage[Any]]) -> None:
        """Refuse a stage that asks for more cores than there are, or for a GPU.

        Raises:
            ConfigError: As said.
        """
        refuse_impossible(stages, {"CPU": float(self.cpus), "GPU": 0.0}, "the local executor")

    def run(self, stage: Stage[In], work: Worklist) -> Iterator[Result]:
        """Do all inputs, the most costly first; results come as they are ready."""
        if not len(work):
            # A worker would load its model for nothing.
            return
        waiting = _Shared(work.entries())
        done: queue.Queue[Result | object] = queue.Queue(maxsize=1024)
        stop = threading.Event()
        num_workers = max(1, min(int(self.cpus / max(stage.resources.cpus, 0.01)), len(work)))
        threads = [
            threading.Thread(target=_work, args=(stage, waiting, done, stop), name=f"{stage.name}-{k}")
            for k in range(num_workers)
        ]
        for thread in threads:
            thread.start()
        try:
            open_workers = num_workers
            while open_workers:
                result = done.get()
                if isinstance(result, Result):
                    if work.finish(result.input_id):
                        yield result
                elif isinstance(result, BaseException):
                    raise result
                else:
                    open_workers -= 1
        finally:
            stop.set()
            while any(thread.is_alive() for thread in threads):
                _drain(done)
                threads[0].join(0.01)
                threads = [thread for thread in threads if thread.is_alive()] or threads[:1]

    def close(self) -> None:
        """Nothing outlives a run."""


def _drain(done: queue.Queue[Any]) -> None:
    try:
        while True:
            done.get_nowait()
    except queue.Empty:
        return


class _Shared:
    """One iterator for several threads."""

    def __init__(self, entries: Iterator[Entry]) -> None:
        self._entries = entries
        self._lock = threading.Lock()

    def take(self, count: int) -> list[Entry]:
        """The next few."""
        with self._lock:
            return list(itertools.islice(self._entries, count))


def _work(stage: Stage[Any], waiting: _Shared, done: queue.Queue[Any], stop: threading.Event) -> None:
    mine = copy.deepcopy(stage)
    try:
        with _SETUP:
            mine.setup()
        try:
            while not stop.is_set():
                batch = [mine.load(json.loads(entry.text)) for entry in waiting.take(mine.batch_size)]
                if not batch:
                    break
                for result in guarded(mine, batch):
                    done.put(result)
        finally:
            mine.close()
    except BaseException as error:  # noqa: BLE001 - handed to the driver, which raises it
        done.put(error)
    done.put(_SENTINEL)


def guarded(stage: Stage[In], batch: Sequence[In]) -> Iterator[Result]:
    """One result for each item of a batch, whatever the stage raises or forgets.

    This is the one place where any exception becomes a row: each item that has no result when the stage
    raises is run again alone, and gets an error of the kind `bug` if it raises again.
    """
    missing = {item.input_id: item for item in batch}
    try:
        for result in stage(batch):
            missing.pop(result.input_id, None)
            yield result
    except Exception as error:  # noqa: BLE001
        if len(batch) == 1:
            yield _failed(stage, batch[0], error)
            return
    for item in missing.values():
        if len(batch) > 1:
            yield from guarded(stage, [item])
        else:
            yield _failed(stage, item, RuntimeError(f"stage {stage.name} gave no result"))


def _failed(stage: Stage[In], item: In, error: Exception) -> Result:
    if not isinstance(error, MediaError):
        error = MediaError(ErrorKind.bug, "".join(traceback.format_exception(error)).strip())
    return stage.failed(item, error)


def refuse_impossible(stages: Sequence[Stage[Any]], there: dict[str, float], where: str) -> None:
    """Refuse a stage whose one worker could never start.

    Raises:
        ConfigError: A worker needs more CPUs or GPUs than there are; waiting would never end.
    """
    for stage in stages:
        for name, wanted in (("CPU", stage.resources.cpus), ("GPU", stage.resources.gpus)):
            if wanted > there.get(name, 0.0):
                raise ConfigError(
                    f"stage {stage.name} asks for {wanted:g} {name}s a worker and {where} has {there.get(name, 0.0):g}"
                )
