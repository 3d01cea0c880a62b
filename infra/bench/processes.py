"""Start commands whose every descendant can be found again, look at their memory, and kill them."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

_MARK = "RUSHES_BENCH_MARK"
_DECODERS = (b"pipeline.scan.child", b"pipeline.media.child", b"captioner.decoder")
"""In the command line of each child that opens videos: of the scan, of ingest, and of the captioner."""


def rushes(*args: str) -> list[str]:
    """The command line of one `rushes` command."""
    return [sys.executable, "-c", "import sys; from infra.cli.main import main; sys.exit(main())", *args]


class Marked:
    """A process whose descendants carry a mark in their environment, so that none can be left behind.

    On leaving the block everything that still carries the mark is killed.

    Args:
        argv: The command.
        folder: Where its working folder is made, which no other process uses.
        env: Added to this process's environment.
    """

    def __init__(self, argv: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> None:
        self.mark = secrets.token_hex(8)
        self.folder = folder / self.mark
        self.folder.mkdir(parents=True)
        self.started = time.monotonic()
        self._log = (self.folder / "log").open("w+b")
        self.process = subprocess.Popen(
            list(argv),
            cwd=self.folder,
            env={**os.environ, **(env or {}), _MARK: self.mark},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __enter__(self) -> Marked:
        """The process runs already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill what is left."""
        self.kill_all()
        self.process.wait()
        self._log.close()

    @property
    def output(self) -> str:
        """What it has written so far, on both streams."""
        return (self.folder / "log").read_text(errors="replace")

    @property
    def elapsed_s(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self.started

    def wait(self, timeout_s: float) -> int:
        """Its exit status.

        Raises:
            TimeoutError: It does not end; the message holds its last words.
        """
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"still running after {timeout_s:g} s:\n{self.output[-2000:]}") from error

    def finish(self, timeout_s: float) -> None:
        """Wait for its end, which must be a good one.

        Raises:
            TimeoutError: It does not end.
            RuntimeError: It failed; the message holds its last words.
        """
        if (status := self.wait(timeout_s)) != 0:
            raise RuntimeError(f"{self.process.args!r}: status {status}\n{self.output[-3000:]}")

    def pids(self) -> list[int]:
        """This process and all that came from it, those that lost their parent included."""
        marked = f"{_MARK}={self.mark}".encode()
        parents = {pid: _parent(pid) for pid in _all_pids()}
        # A worker of Ray writes its title over its environment, but keeps its parent and its working folder.
        found = {
            pid
            for pid in parents
            if marked in _read(pid, "environ").split(b"\0") or _folder(pid) == str(self.folder.resolve())
        }
        while more := {pid for pid, parent in parents.items() if parent in found and pid not in found}:
            found |= more
        return sorted(found - {os.getpid()})

    def decoders(self) -> list[int]:
        """Its decoder children."""
        return [pid for pid in self.pids() if set(_DECODERS) & set(_read(pid, "cmdline").split(b"\0"))]

    def workers(self) -> dict[int, list[int]]:
        """What has decoder children, with these: workers, or the driver where workers are its threads."""
        owners: dict[int, list[int]] = {}
        for pid in self.decoders():
            parent = _parent(pid)
            if parent is not None and parent > 1:
                owners.setdefault(parent, []).append(pid)
        return owners

    def kill_all(self) -> int:
        """Kill everything that is left of it; tell how many there were."""
        killed = set()
        while left := [pid for pid in self.pids() if not _is_zombie(pid)]:
            for pid in left:
                kill(pid)
            killed |= set(left)
            time.sleep(0.02)
        return len(killed)


def kill(pid: int) -> bool:
    """`kill -9`; whether there was still such a process."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def wait_for(found: Callable[[], object], timeout_s: float, every_s: float = 0.02) -> bool:
    """Whether something comes true in time."""
    end = time.monotonic() + timeout_s
    while not found():
        if time.monotonic() > end:
            return False
        time.sleep(every_s)
    return True


def rss_bytes(pid: int, field: str = "VmRSS") -> int:
    """Memory of a process that is resident now (`VmRSS`), or was at most (`VmHWM`); 0 when it has ended."""
    for line in _read(pid, "status").splitlines():
        if line.startswith(f"{field}:".encode()):
            return int(line.split()[1]) * 1024
    return 0


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    return [child for child in _all_pids() if _parent(child) == pid]


@contextmanager
def sampled(measure: Callable[[], float], every_s: float = 0.02) -> Iterator[list[float]]:
    """Measure again and again in the background; the list holds one number, the largest so far."""
    largest = [0.0]
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(every_s):
            largest[0] = max(largest[0], measure())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield largest
    finally:
        stop.set()
        thread.join()


def _all_pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def _folder(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink())
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""


def _stat(pid: int) -> list[bytes]:
    """The fields after the command's name, which itself may hold anything."""
    return _read(pid, "stat").rpartition(b")")[2].split()


def _parent(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[1]) if fields else None


def _is_zombie(pid: int) -> bool:
    fields = _stat(pid)
    return not fields or fields[0] == b"Z"
