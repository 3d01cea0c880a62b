"""Ten thousand small videos: what each costs beyond its frames, and what a run without work costs."""

from __future__ import annotations

import json
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from infra.bench.footage import tiny_videos
from infra.bench.processes import Marked, rss_bytes, rushes, sampled
from infra.bench.table import Figure
from pipeline.dataset import Dataset

_RUN_S = 3600.0
_SECONDS = 30.0
"""What "takes seconds" means for a run with nothing to do."""
_FEW_FILES = 4


def measure(cache: Path, count: int) -> list[Figure]:
    """All figures of so many videos."""
    folder = tiny_videos(cache / f"tiny-{count}", count)
    dataset = cache / f"many-{count}"
    shutil.rmtree(dataset, ignore_errors=True)
    first, first_s, peak = _run(folder, dataset, cache)
    _, again_s, _ = _run(folder, dataset, cache)
    cores = len(os.sched_getaffinity(0))
    work_s = first["elapsed_s"] - first["start_up_s"]
    videos = first["counts"].get("videos", 0)
    again = _last_run(dataset)
    return [
        Figure(
            name=f"{count} small videos: videos in the dataset",
            value=videos,
            at_least=count,
            note=_errors(first),
        ),
        Figure(name=f"{count} small videos: the whole run", value=first_s, unit="s", note=_stages(first)),
        Figure(
            name="overhead per video",
            value=1000 * work_s / count,
            unit="ms",
            note=f"without the start-up of {first['start_up_s']:.1f} s; "
            f"{1000 * work_s * cores / count:.1f} ms of a core; 32x32, 10 to 30 frames",
        ),
        Figure(name="highest memory of the driver", value=peak / 2**20, unit="MiB"),
        Figure(
            name="the same command again, nothing to do",
            value=again_s,
            unit="s",
            at_most=_SECONDS,
            note=f"items done: {sum(stage['items'] for stage in again['stages'])}; "
            f"start-up {again['start_up_s']:.1f} s",
        ),
        Figure(
            name="files of the table that has most",
            value=max(_num_files(dataset).values()),
            at_most=_FEW_FILES,
            note=", ".join(f"{table} {number}" for table, number in _num_files(dataset).items()),
        ),
    ]


def _run(folder: Path, dataset: Path, cache: Path) -> tuple[dict[str, Any], float, float]:
    """Run once; give its record, its seconds and the driver's highest memory in bytes."""
    command = rushes("run", "--input", str(folder), "--dataset", str(dataset))
    with Marked(command, cache / "cwd") as run:
        with sampled(partial(rss_bytes, run.process.pid, "VmHWM"), every_s=0.1) as peak:
            run.finish(_RUN_S)
        return _last_run(dataset), run.elapsed_s, peak[0]


def _last_run(dataset: Path) -> dict[str, Any]:
    newest = max((dataset / "runs").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    return dict(json.loads(newest.read_text()))


def _num_files(dataset: Path) -> dict[str, int]:
    """The number of Parquet files in the folder of each table."""
    tables = Dataset(str(dataset)).manifest.tables()
    return {table: len(list((dataset / "manifest" / table).glob("*.parquet"))) for table in tables}


def _errors(record: dict[str, Any]) -> str:
    errors = {stage["name"]: stage["errors"] for stage in record["stages"] if stage["errors"]}
    return f"errors: {errors}" if errors else "no errors"


def _stages(record: dict[str, Any]) -> str:
    return ", ".join(
        f"{stage['name']} {stage['items']} items, {stage['busy_s']:.1f} s busy" for stage in record["stages"]
    )
