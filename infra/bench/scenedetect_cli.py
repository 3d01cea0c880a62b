"""PySceneDetect's own command line on some files, as many at a time as there are cores."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from infra.bench.decode import num_pixels

FFMPEG_HINT = "needs the program ffmpeg: apt-get install -y ffmpeg"


def has_ffmpeg() -> bool:
    """Whether `split-video` can work."""
    return shutil.which("ffmpeg") is not None


def detect_all(paths: Sequence[Path], num_processes: int, *, split: bool) -> float:
    """Detect the cuts of files, and cut them there into files; give the seconds.

    Args:
        paths: The files.
        num_processes: How many commands run at once.
        split: Whether clips are written too.
    """
    with (
        tempfile.TemporaryDirectory(prefix="rushes-bench-") as folder,
        ThreadPoolExecutor(num_processes) as pool,
    ):

        def detect(path: Path) -> None:
            command = [str(Path(sys.executable).with_name("scenedetect")), "--quiet", "--input", str(path)]
            command += ["--output", str(Path(folder, path.name)), "detect-adaptive"]
            command += ["split-video"] if split else []
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise RuntimeError(f"scenedetect failed on {path}:\n{(done.stdout + done.stderr)[-2000:]}")

        started = time.monotonic()
        list(pool.map(detect, sorted(paths, key=num_pixels, reverse=True)))
        return time.monotonic() - started
