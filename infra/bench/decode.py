"""The least that any scan must do: decode every frame with PyAV and look at none.

`python -m infra.bench.decode single|auto` reads paths from its input, a line each, and answers with the
number of frames.
"""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path


class Threads(StrEnum):
    """How FFmpeg's decoders use threads."""

    single = "single"
    """One thread in each process."""
    auto = "auto"
    """Frame threads, as many as FFmpeg likes, in each process."""


def decode_all(paths: Sequence[Path], threads: Threads, num_processes: int) -> tuple[int, float]:
    """Decode files with so many processes, the longest first.

    Returns:
        The number of frames, and the seconds from the moment when all processes were ready.
    """
    waiting: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for path in sorted(paths, key=num_pixels, reverse=True):
        waiting.put(path)
    command = [sys.executable, "-m", "infra.bench.decode", threads]
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(num_processes)
    ]
    counts: list[int] = []
    for child in children:
        _ask(child, "")
    started = time.monotonic()
    feeders = [threading.Thread(target=_feed, args=(child, waiting, counts)) for child in children]
    for feeder in feeders:
        feeder.start()
    for feeder in feeders:
        feeder.join()
    elapsed_s = time.monotonic() - started
    for child in children:
        child.communicate()
    if len(counts) < len(paths):
        raise RuntimeError(f"a decoding process died: {len(counts)} of {len(paths)} files were decoded")
    return sum(counts), elapsed_s


def _feed(child: subprocess.Popen[str], waiting: queue.SimpleQueue[Path], counts: list[int]) -> None:
    while True:
        try:
            path = waiting.get_nowait()
        except queue.Empty:
            return
        counts.append(_ask(child, str(path)))


def _ask(child: subprocess.Popen[str], line: str) -> int:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(line + "\n")
    child.stdin.flush()
    return int(child.stdout.readline())


def num_pixels(path: Path) -> float:
    """Roughly how many pixels a video has in all its frames: by it the costly ones are begun first."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate or 25
        num_frames = stream.frames or float(container.duration or 0) / av.time_base * rate
        return float(stream.width * stream.height * num_frames)


def count_frames(path: str, threads: Threads) -> int:
    """How many frames of the first video stream decode; bad packets are passed over."""
    import av

    num_frames = 0
    with av.open(path) as container:
        if not container.streams.video:
            return 0
        stream = container.streams.video[0]
        if threads is Threads.auto:
            stream.thread_type, stream.thread_count = "AUTO", 0
        else:
            stream.thread_count = 1
        for packet in container.demux(stream):
            try:
                num_frames += len(packet.decode())
            except av.FFmpegError:
                continue
    return num_frames


def _serve(threads: Threads) -> None:
    import av

    av.logging.restore_default_callback()
    av.logging.set_libav_level(av.logging.PANIC)
    for line in sys.stdin:
        path = line.rstrip("\n")
        print(count_frames(path, threads) if path else 0, flush=True)


if __name__ == "__main__":
    _serve(Threads(sys.argv[1]))
