"""Run a stage over its inputs with Ray Data: on cores of this machine, or on a cluster.

Ids, paths and rows of tables travel through Ray; bytes of videos never do.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from pipeline.executor import guarded, refuse_impossible
from pipeline.manifest import to_table
from pipeline.ray_cluster import cluster
from pipeline.worklist import Entry, Worklist
from schemas import ErrorKind, Input, MediaError, Result, Row, Stage

In = TypeVar("In", bound=Input)

_BLOCK_S = 30.0
_BLOCK_ITEMS = 64
"""A block is what Ray hands to a worker and, if the worker dies, loses: about half a minute of work.
Each block costs about 9 ms, so small inputs go together."""
_BLOCKS_A_WORKER = 4
"""At least so many where there are inputs enough, so that workers end at about the same time."""


class RayExecutor:
    """Workers are Ray actors, fed by Ray Data.

    Args:
        address: A running cluster, as `ray.init` takes it (`auto`, `ray://host:10001`); without it one is
            started on this machine and ended with the run.
        cpus: How many cores of this machine to use without `address`; all by default.
        autoscaling: Whether the cluster may grow, so that asking for more than it has now is no mistake.
    """

    def __init__(self, address: str | None = None, cpus: int | None = None, *, autoscaling: bool = False) -> None:
        self._address, self._cpus, self._autoscaling = address, cpus, autoscaling
        self._started: ExitStack | None = None
        self.start_up_s = 0.0
        """How long the cluster took to answer; 0 while nothing has needed it."""

    def _start(self) -> None:
        """Reach the cluster, or start one: the first time that there is work."""
        if self._started is not None:
            return
        began = time.monotonic()
        started = ExitStack()
        started.enter_context(cluster(self._address, self._cpus))
        self._started = started
        self.start_up_s = time.monotonic() - began

    def check(self, stages: Sequence[Stage[Any]]) -> None:
        """Refuse a stage of which not one worker could ever start.

        Raises:
            ConfigError: As said; never where the cluster may grow.
        """
        self._start()
        if not self._autoscaling:
            refuse_impossible(stages, _there(), "the Ray cluster")

    def run(self, stage: Stage[In], work: Worklist) -> Iterator[Result]:
        """Do all inputs, the most costly first; results come as they are ready.

        What dying workers lost is done again, one input at a time a worker; an input whose worker dies then
        too gets the error `worker_crash`.
        """
        if not len(work):
            return
        self._start()
        num_workers = self._num_workers(stage)
        for result in _stream(stage, _blocks(work, num_workers), num_workers):
            if work.finish(result.input_id):
                yield result
        for result in _one_by_one(stage, work.unfinished(), num_workers):
            work.finish(result.input_id)
            yield result

    def close(self) -> None:
        """End the cluster if it was started here, and remove its files."""
        if self._started is not None:
            self._started.close()
            self._started = None

    def _num_workers(self, stage: Stage[Any]) -> int:
        there, asked = _there(), stage.resources
        fit = [there.get("CPU", 0.0) / asked.cpus] if asked.cpus else []
        fit += [there.get("GPU", 0.0) / asked.gpus] if asked.gpus else []
        return max(1, int(min(fit, default=1.0)))


def _there() -> dict[str, float]:
    """What the cluster has in all, by resource."""
    import ray

    there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return there


class _Worker:
    """A stage inside a Ray actor: rows of inputs in, rows of results out; no exception leaves it."""

    def __init__(self, stage: Stage[Any], folder: str) -> None:
        # Relative paths are the driver's. On a machine that does not have its folder they cannot be read
        # anyway, and each says so in its row.
        with suppress(OSError):
            os.chdir(folder)
        self.stage = stage
        stage.setup()

    def __call__(self, block: pa.Table) -> Iterator[pa.Table]:
        """Do a block of inputs: a column of rows in, a table a result out."""
        items = [self.stage.load(json.loads(text)) for text in block["input"].to_pylist()]
        size = self.stage.batch_size
        for start in range(0, len(items), size):
            for result in guarded(self.stage, items[start : start + size]):
                yield _pack(result)

    def one(self, text: str) -> pa.Table:
        """Do one input."""
        (result,) = guarded(self.stage, [self.stage.load(json.loads(text))])
        return _pack(result)


def _stream(stage: Stage[Any], blocks: Iterator[pa.Table], num_workers: int) -> Iterator[Result]:
    import ray
    from ray.data import ActorPoolStrategy, DataContext
    from ray.util.annotations import RayDeprecationWarning

    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    # A worker's death costs its block, not the job; `run` does that block again.
    context.max_errored_blocks = -1
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    # In the object store, which spills to disk, and not in this process.
    stored: list[Any] = [ray.put(block) for block in blocks]
    with warnings.catch_warnings():
        # Ray Data has no named parameter yet for the last two, and its defaults never give up on an item.
        warnings.simplefilter("ignore", RayDeprecationWarning)
        dataset = ray.data.from_arrow_refs(stored).map_batches(
            _Worker,
            fn_constructor_args=(stage, str(Path.cwd())),
            batch_size=None,
            batch_format="pyarrow",
            zero_copy_batch=True,
            num_cpus=stage.resources.cpus,
            num_gpus=stage.resources.gpus or None,
            compute=ActorPoolStrategy(size=min(num_workers, len(stored))),
            max_restarts=-1,
            max_task_retries=0,
        )
    for row in dataset.iter_rows():
        yield _unpack(row)


def _one_by_one(stage: Stage[Any], entries: Iterator[Entry], num_workers: int) -> Iterator[Result]:
    """Do suspects so that a worker's death can only be the doing of the one input that it had."""
    import ray
    from ray.exceptions import RayActorError

    worker_class: Any = ray.remote(_Worker)
    asked = stage.resources
    free: list[Any] = []
    busy: dict[Any, tuple[Any, Entry]] = {}
    while True:
        for entry in itertools.islice(entries, num_workers - len(busy)):
            worker = (
                free.pop()
                if free
                else worker_class.options(num_cpus=asked.cpus, num_gpus=asked.gpus).remote(stage, str(Path.cwd()))
            )
            busy[worker.one.remote(entry.text)] = (worker, entry)
        if not busy:
            break
        (ready, *_), _ = ray.wait(list(busy), num_returns=1)
        worker, entry = busy.pop(ready)
        try:
            yield _unpack(ray.get(ready).to_pylist()[0])
            free.append(worker)
        except RayActorError:
            reason = "two workers died while they were doing it"
            item = stage.load(json.loads(entry.text))
            yield stage.failed(item, MediaError(ErrorKind.worker_crash, reason))
    for worker in free:
        ray.kill(worker)


def _blocks(work: Worklist, num_workers: int) -> Iterator[pa.Table]:
    """Inputs in blocks, the most costly first, bounded in number and in estimated time."""
    most = max(1, min(_BLOCK_ITEMS, len(work) // (num_workers * _BLOCKS_A_WORKER)))
    block: list[str] = []
    filled_s = 0.0
    for entry in work.entries():
        if block and (len(block) == most or filled_s + entry.cost_s > _BLOCK_S):
            yield pa.table({"input": block})
            block, filled_s = [], 0.0
        block.append(entry.text)
        filled_s += entry.cost_s
    if block:
        yield pa.table({"input": block})


def _pack(result: Result) -> pa.Table:
    """A result as one row of Arrow: Ray's own kind of data, typed as the tables are."""
    error = result.error
    return pa.table(
        {
            "input_id": [result.input_id],
            "tables": pa.array([list(result.rows)], pa.list_(pa.string())),
            "rows": pa.array([[_ipc(*entry) for entry in result.rows.items()]], pa.list_(pa.binary())),
            "error_kind": pa.array([None if error is None else error.kind.value], pa.string()),
            "error": pa.array([None if error is None else str(error)], pa.string()),
            "busy_s": [result.busy_s],
            "frames": [result.frames],
        }
    )


def _unpack(row: Mapping[str, Any]) -> Result:
    kind = row["error_kind"]
    rows = [pa.ipc.open_stream(data).read_all().to_pylist() for data in row["rows"]]
    return Result(
        row["input_id"],
        rows=dict(zip(row["tables"], rows, strict=True)),
        error=None if kind is None else MediaError(ErrorKind(kind), row["error"]),
        busy_s=row["busy_s"],
        frames=row["frames"],
    )


def _ipc(table: str, rows: Sequence[Row]) -> bytes:
    data = to_table(table, rows)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, data.schema) as writer:
        writer.write_table(data)
    return bytes(sink.getvalue())
