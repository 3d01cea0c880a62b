"""How fast the scan is beside bare decoding and beside PySceneDetect's command line."""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import av

from infra.bench.decode import Threads, decode_all
from infra.bench.footage import films_1080p
from infra.bench.processes import Marked, rushes
from infra.bench.scan import Scan
from infra.bench.scenedetect_cli import FFMPEG_HINT, detect_all, has_ffmpeg
from infra.bench.table import Figure

_MADE_S = 40.0
"""Length of each 1080p file that is made, in seconds."""
_FINISHED = (0, 1)
"""Statuses of a run that did all it could; 1 says that many of the files are bad."""
_SUBSET = 12
"""Files on which the command line of PySceneDetect is measured."""


@dataclass(slots=True)
class Times:
    """Seconds of each repetition, by what was done; medians are what counts."""

    runs: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, seconds: float) -> None:
        """Take one repetition."""
        self.runs.setdefault(name, []).append(seconds)
        print(f"  {name}: {seconds:.2f} s", file=sys.stderr, flush=True)

    def median(self, name: str) -> float:
        """The median, in seconds."""
        return statistics.median(self.runs[name])

    def spread(self, name: str) -> str:
        """All repetitions in words."""
        return "/".join(f"{seconds:.1f}" for seconds in self.runs[name]) + " s"


def measure(footage: Path, cache: Path, *, repeat: int, made_s: float = _MADE_S) -> list[Figure]:
    """All figures of speed.

    Args:
        footage: A folder with videos.
        cache: Where films are made and datasets are written.
        repeat: How often each is done.
        made_s: Length of each 1080p file that is made, in seconds.
    """
    made = films_1080p(footage, cache / "films-1080p", seconds=made_s)
    real = [path for path in sorted(footage.iterdir()) if path.is_file() and _height(path) > 0]
    large = made + [path for path in real if _height(path) == 1080]
    mix = made + real
    figures = [_told("video in the mix", sum(map(_seconds, mix)) / 60, "minutes", f"{len(mix)} files")]
    for name, paths, share in (("1080p", large, 0.75), ("whole mix", mix, 0.60)):
        figures += _against_decoding(name, paths, cache, repeat, share)
    figures += _against_scenedetect(made[:2] + _spread(real, _SUBSET - 2), cache, repeat)
    return figures + _whole_run([str(footage), str(cache / "films-1080p")], cache)


def _against_decoding(name: str, paths: Sequence[Path], cache: Path, repeat: int, share: float) -> list[Figure]:
    cores = len(os.sched_getaffinity(0))
    print(f"{name}: {len(paths)} files", file=sys.stderr, flush=True)
    times = Times()
    frames: dict[str, int] = {}
    scan = Scan(paths, cache / "speed-dataset")
    for _ in range(repeat):
        for threads in Threads:
            frames[threads], seconds = decode_all(paths, threads, cores)
            times.add(f"decode, {threads} thread", seconds)
        frames["scan"], seconds = scan.run(cores)
        times.add("scan", seconds)
    rates = {threads: frames[threads] / times.median(f"decode, {threads} thread") for threads in Threads}
    fastest = max(Threads, key=rates.__getitem__)
    rate = frames["scan"] / times.median("scan")
    note = f"{frames['scan']} frames, {cores} cores, {times.spread('scan')}"
    if scan.errors:
        note += f"; without {len(scan.errors)} files that gave errors: {', '.join(sorted(scan.errors))}"
    return [
        *(
            _told(
                f"bare decoding, {name}, threads {threads}",
                rates[threads],
                "frames/s",
                f"{frames[threads]} frames, {times.spread(f'decode, {threads} thread')}",
            )
            for threads in Threads
        ),
        _told(f"scan, {name}", rate, "frames/s", note),
        Figure(
            name=f"scan / bare decoding, {name}",
            value=rate / rates[fastest],
            at_least=share,
            note=f"decoding with threads {fastest}, the faster",
        ),
    ]


def _against_scenedetect(paths: Sequence[Path], cache: Path, repeat: int) -> list[Figure]:
    cores = len(os.sched_getaffinity(0))
    print(f"PySceneDetect: {len(paths)} files", file=sys.stderr, flush=True)
    times, num_frames = Times(), 0
    detect, split = "detect-adaptive", "detect-adaptive split-video"
    scan = Scan(paths, cache / "speed-dataset")
    for _ in range(repeat):
        decoded, seconds = decode_all(paths, Threads.single, cores)
        times.add("decode", seconds)
        num_frames, seconds = scan.run(cores)
        times.add("scan", seconds)
        times.add(detect, detect_all(paths, cores, split=False))
        if has_ffmpeg():
            times.add(split, detect_all(paths, cores, split=True))
    files = f"{len(paths)} files, {num_frames} of {decoded} frames"
    figures = [
        _told(f"bare decoding, {len(paths)} files", times.median("decode"), "s", times.spread("decode")),
        _told(f"scan, {len(paths)} files", times.median("scan"), "s", f"{files}, {times.spread('scan')}"),
    ]
    for name, factor in ((detect, 1.6), (split, 8.0)):
        if name not in times.runs:
            figures.append(Figure(name=f"scenedetect {name} / scan", value=None, at_least=factor, note=FFMPEG_HINT))
            continue
        figures.append(_told(f"scenedetect {name}", times.median(name), "s", times.spread(name)))
        ratio = times.median(name) / times.median("scan")
        figures.append(Figure(name=f"scenedetect {name} / scan", value=ratio, at_least=factor))
    return figures


def _whole_run(inputs: Sequence[str], cache: Path) -> list[Figure]:
    figures = []
    for executor in ("local", "ray"):
        dataset = cache / f"speed-run-{executor}"
        shutil.rmtree(dataset, ignore_errors=True)
        command = rushes("run", "--input", *inputs, "--dataset", str(dataset), "--executor", executor)
        first_commit = dataset / "manifest" / "clips" / "_delta_log" / f"{0:020}.json"
        with Marked(command, cache / "cwd") as run:
            first_s = None
            while run.process.poll() is None:
                if first_s is None and first_commit.exists():
                    first_s = run.elapsed_s
                if run.elapsed_s > 3600:
                    raise TimeoutError(f"rushes run does not end:\n{run.output[-2000:]}")
                time.sleep(0.02)
            whole_s = run.elapsed_s
            if run.process.returncode not in _FINISHED:
                raise RuntimeError(f"rushes run failed:\n{run.output[-3000:]}")
            last = run.output.strip().splitlines()[-1]
        figures.append(_told(f"whole `rushes run`, executor {executor}", whole_s, "s", last.split(": ", 1)[-1]))
        figures.append(
            Figure(
                name=f"from its start to the first clip, {executor}",
                value=first_s,
                unit="s",
                note="committed, start-up included",
            )
        )
    return figures


def _told(name: str, value: float, unit: str, note: str) -> Figure:
    return Figure(name=name, value=value, unit=unit, note=note)


def _spread(paths: Sequence[Path], count: int) -> list[Path]:
    """So many files, evenly spread over those of at least ten seconds in the order of their names."""
    long = [path for path in paths if _seconds(path) >= 10 and path.suffix != ".gif"]
    return [long[len(long) * k // count] for k in range(min(count, len(long)))]


def _height(path: Path) -> int:
    """The height of its pictures as coded; 0 where it is no video."""
    try:
        with av.open(str(path)) as container:
            return container.streams.video[0].height if container.streams.video else 0
    except av.FFmpegError:
        return 0


def _seconds(path: Path) -> float:
    with av.open(str(path)) as container:
        return float(container.duration or 0) / av.time_base
