"""How much memory a worker and the driver take, and whether it grows.

`python -m infra.bench.memory DATASET FOLDER` is a worker: it scans the folder's videos one after the other
and prints the memory of itself and of its decoder child after each, in bytes.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from infra.bench.footage import drawn_videos, films_1080p, once, repeated, tiny_videos
from infra.bench.processes import Marked, children, rss_bytes, rushes, sampled
from infra.bench.scan import Scan
from infra.bench.table import Figure

_MIB = 2**20
_LONG_S = 600.0
_NUM_SMALL = 200
_FEW, _MANY = 500, 2000
"""Numbers of videos between which the driver's memory is compared."""
_RUN_S = 3600.0


def measure(footage: Path, cache: Path, *, long_s: float = _LONG_S, few: int = _FEW, many: int = _MANY) -> list[Figure]:
    """All figures of memory.

    Args:
        footage: A folder with videos, of which one becomes the long film.
        cache: Where films are made and datasets are written.
        long_s: Length of that film, in seconds.
        few: A number of videos.
        many: A larger number of videos.
    """
    return [*_long_film(footage, cache, long_s), *_growth(cache), *_driver(cache, few, many)]


def _long_film(footage: Path, cache: Path, long_s: float) -> list[Figure]:
    source = films_1080p(footage, cache / "films-1080p", seconds=40.0, num_sources=1)[0]
    film = once(cache / "long" / f"{long_s:g}s.mp4", partial(repeated, source, seconds=long_s))
    figures = []
    for executor in ("local", "ray"):
        dataset = cache / "memory-dataset"
        shutil.rmtree(dataset, ignore_errors=True)
        command = rushes("run", "--input", str(film), "--dataset", str(dataset), "--executor", executor)
        with (
            Marked(command, cache / "cwd") as run,
            sampled(partial(_largest_worker, run), every_s=0.1) as largest,
        ):
            run.finish(_RUN_S)
            elapsed_s = run.elapsed_s
        figures.append(
            Figure(
                name=f"worker and its decoders on {long_s / 60:g} minutes of 1080p, {executor}",
                value=largest[0] / _MIB,
                unit="MiB",
                at_most=1536,
                note=f"resident, highest of samples every 0.1 s; {elapsed_s:.0f} s"
                + ("; the worker is the driver here" if executor == "local" else ""),
            )
        )
    return figures


def _largest_worker(run: Marked) -> float:
    return max((sum(map(rss_bytes, [worker, *decoders])) for worker, decoders in run.workers().items()), default=0)


def _growth(cache: Path) -> list[Figure]:
    folder = drawn_videos(cache / f"small-{_NUM_SMALL}", _NUM_SMALL, num_variants=20)
    command = [sys.executable, "-m", "infra.bench.memory", str(cache / "growth-dataset"), str(folder)]
    with Marked(command, cache / "cwd") as run:
        run.finish(_RUN_S)
        sizes = [json.loads(line) for line in run.output.splitlines() if line.startswith("[")]
    assert len(sizes) == _NUM_SMALL, run.output
    totals = [sum(pair) / _MIB for pair in sizes]
    return [
        Figure(
            name=f"worker and its decoder, growth from the 1st to the {_NUM_SMALL}th video",
            value=max(totals[-50:]) - totals[0],
            unit="MiB",
            at_most=_allowance(totals[0]),
            note=f"after the 1st {totals[0]:.0f} MiB, the 20th {totals[19]:.0f}, the last {totals[-1]:.0f}, "
            f"highest of the last fifty {max(totals[-50:]):.0f}",
        )
    ]


def _driver(cache: Path, few: int, many: int) -> list[Figure]:
    figures = []
    for executor in ("local", "ray"):
        folders = [tiny_videos(cache / f"tiny-{count}", count) for count in (few, many)]
        peaks = [_driver_peak(cache, folder, executor) / _MIB for folder in folders]
        a_video = 1024 * (peaks[1] - peaks[0]) / (many - few)
        figures.append(
            Figure(
                name=f"driver, growth from {few} to {many} videos, {executor}",
                value=peaks[1] - peaks[0],
                unit="MiB",
                at_most=_allowance(peaks[0]),
                note=f"highest resident memory {peaks[0]:.0f} and {peaks[1]:.0f} MiB: {a_video:.1f} KiB a video",
            )
        )
    return figures


def _driver_peak(cache: Path, folder: Path, executor: str) -> float:
    dataset = cache / "memory-dataset"
    shutil.rmtree(dataset, ignore_errors=True)
    command = rushes("run", "--input", str(folder), "--dataset", str(dataset), "--executor", executor)
    with Marked(command, cache / "cwd") as run:
        peak = partial(rss_bytes, run.process.pid, "VmHWM")
        with sampled(peak, every_s=0.1) as largest:
            run.finish(_RUN_S)
        return largest[0]


def _allowance(before_mib: float) -> float:
    """What an allocator may keep without any growth behind it: a twentieth."""
    return round(before_mib / 20, 1)


def _work(dataset: Path, folder: Path) -> None:
    """Be a worker, and tell of its memory after each video."""
    scan = Scan(sorted(folder.rglob("*.mp4")), dataset)
    scan.stage.setup()
    for item in scan.items:
        for result in scan.stage([item]):
            if result.error is not None:
                raise result.error
        print([rss_bytes(os.getpid()), sum(map(rss_bytes, children(os.getpid())))], flush=True)
    scan.stage.close()


def _main(argv: Sequence[str]) -> None:
    _work(Path(argv[0]), Path(argv[1]))


if __name__ == "__main__":
    _main(sys.argv[1:])
