"""A persistent child process that decodes, and that is killed when it hangs.

Nothing inside a process can stop a decoder that loops in native code or holds a lock of its own: only
another process can, with SIGKILL. A child lives for many jobs, because starting one costs a hundred times a
small job.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipeline.media import wire
from pipeline.media.limits import MediaLimits
from pipeline.media.wire import Reply
from schemas.errors import ErrorKind, MediaError

_ROOT = Path(__file__).resolve().parents[2]
_TAIL_BYTES = 4096
_LAST_WORDS_S = 2.0
_MAX_MESSAGE = 500
_ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"), "1"
)
_OUT_OF_MEMORY = ("MemoryError", "bad_alloc", "annot allocate memory", "ut of memory", "OutOfMemory")
_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


@contextlib.contextmanager
def opened(path: str) -> Iterator[int]:
    """A descriptor of a file, to be handed to a child; no FIFO that has taken its place is waited for.

    Raises:
        MediaError: `io`: it cannot be opened.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise MediaError(ErrorKind.io, f"cannot be opened: {error.strerror}") from error
    try:
        yield fd
    finally:
        os.close(fd)


class _LateError(Exception):
    """A deadline passed."""


class _DeadError(Exception):
    """The child ended, or says what it must not."""


class DecoderChild:
    """Runs jobs in one child process, which is started when needed and replaced when it dies.

    For use by one thread at a time.

    Args:
        module: A module that ends in `pipeline.media.service.serve`, run as `python -m MODULE`.
        limits: What the child may use.
    """

    def __init__(self, module: str, limits: MediaLimits) -> None:
        self.limits = limits
        self._module = module
        self._process: _Process | None = None

    @property
    def pid(self) -> int | None:
        """The living child's process id; None before the first job and after `close`."""
        return self._process.pid if self._process else None

    def call(
        self,
        job: str,
        args: Mapping[str, Any],
        fd: int | None = None,
        *,
        job_s: float | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> Reply:
        """Do one job and wait for its answer.

        A child that does not start or dies at work is replaced and the job done once more: somebody may have killed it.

        Args:
            job: One of the names that the module serves.
            args: A JSON object.
            fd: An open file to hand over; it stays open here.
            job_s: A deadline of its own, in seconds, instead of the limit.
            on_progress: Told how many frames the child has done, from time to time.

        Raises:
            MediaError: What the child found, or what became of it (`timeout, out_of_memory, decoder_crash,
                worker_crash, bug`).
        """
        deadline_s = self.limits.job_s if job_s is None else job_s
        for last_try in (False, True):
            try:
                process = self._ready()
            except MediaError:
                if last_try:
                    raise
                continue
            try:
                answer = process.exchange(job, args, fd, deadline_s, on_progress)
            except _LateError as error:
                self.close()
                raise MediaError(ErrorKind.timeout, f"killed: {error}") from None
            except _DeadError as error:
                failure = process.post_mortem(str(error))
                self.close()
                if last_try or failure.kind in (ErrorKind.bug, ErrorKind.out_of_memory):
                    raise failure from None
                continue
            except BaseException:
                # Interrupted half-way (Ctrl-C, a failing callback): the next answer would be the wrong one.
                self.close()
                raise
            break
        if process.num_jobs >= self.limits.recycle_after:
            self.close()
        return self._result(answer)

    def _result(self, answer: Reply) -> Reply:
        if answer.header["type"] == "done":
            return Reply(answer.header["value"], answer.blobs)
        kind = ErrorKind(answer.header["kind"])
        if kind is ErrorKind.out_of_memory:
            # What is left of its memory may be in pieces.
            self.close()
        raise MediaError(kind, _clean(answer.header["message"]))

    def _ready(self) -> _Process:
        """The living child, or a new one."""
        if self._process is not None and not self._process.is_idle():
            self.close()
        if self._process is None:
            self._process = _Process(self._module, self.limits)
            try:
                self._process.wait_until_ready()
            except (_LateError, _DeadError) as error:
                failure = self._process.post_mortem(str(error))
                self.close()
                raise MediaError(ErrorKind.worker_crash, f"the decoder does not start: {failure}") from None
            except BaseException:
                self.close()
                raise
        return self._process

    def close(self) -> None:
        """End the child; a later call starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()


class _Process:
    """One child, from its start to its end."""

    def __init__(self, module: str, limits: MediaLimits) -> None:
        self.num_jobs = 0
        self._limits = limits
        self._tail = b""
        self._killed = False
        self._quiet_until = self._ends = time.monotonic() + limits.start_s
        self._sock, theirs = socket.socketpair()
        with theirs:
            # `-P` and our own root: what lies in the working directory is not imported.
            command = [sys.executable, "-P", "-m", module, json.dumps(limits.to_json())]
            try:
                self._popen = subprocess.Popen(
                    command,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    close_fds=True,
                    start_new_session=True,
                    env=_environment(),
                )
            except OSError as error:
                self._sock.close()
                raise MediaError(ErrorKind.worker_crash, f"the decoder does not start: {error}") from error
        assert self._popen.stderr is not None
        self._stderr = self._popen.stderr
        os.set_blocking(self._stderr.fileno(), False)
        self._sock.setblocking(False)
        self._poll = select.poll()
        self._poll.register(self._sock, select.POLLIN)
        self._poll.register(self._stderr, select.POLLIN)

    @property
    def pid(self) -> int:
        return self._popen.pid

    def is_idle(self) -> bool:
        """Whether it lives and is silent, as a child without a job must be."""
        if self._popen.poll() is not None:
            return False
        watch = select.poll()
        watch.register(self._sock, select.POLLIN)
        return not watch.poll(0)

    def wait_until_ready(self) -> None:
        if self._message().header.get("type") != "ready":
            raise _DeadError("it does not say that it is ready")

    def exchange(
        self,
        job: str,
        args: Mapping[str, Any],
        fd: int | None,
        deadline_s: float,
        on_progress: Callable[[int], None] | None,
    ) -> Reply:
        """Send a job, follow its progress, and give its last message (`done` or `error`), checked."""
        self.num_jobs += 1
        now = time.monotonic()
        self._ends = now + deadline_s
        self._progressed(now)
        self._send({"job": job, "args": dict(args)}, fd)
        while True:
            message = self._message()
            header = message.header
            match header.get("type"):
                case "progress" if type(header.get("frames")) is int:
                    if on_progress is not None:
                        on_progress(header["frames"])
                case "done" if isinstance(header.get("value"), dict):
                    return message
                case "error" if header.get("kind") in ErrorKind.__members__ and "message" in header:
                    return message
                case unknown:
                    raise _DeadError(f"it says {str(unknown)[:40]!r}")

    def _send(self, header: dict[str, Any], fd: int | None) -> None:
        pieces = [memoryview(piece) for piece in wire.pack(header)]
        fds = [] if fd is None else [fd]
        for piece in pieces:
            while piece:
                self._await(select.POLLOUT)
                try:
                    sent = socket.send_fds(self._sock, [piece], fds)
                except OSError as error:
                    raise _DeadError("it takes no job") from error
                fds = []
                piece = piece[sent:]

    def _message(self) -> Reply:
        try:
            return wire.receive(self._read, self._limits.max_reply_bytes)
        except wire.ClosedError as error:
            raise _DeadError(str(error)) from error
        except wire.WireError as error:
            # It may live on; nothing that it says or does now is of use.
            self.kill()
            raise _DeadError(str(error)) from error

    def _read(self, view: memoryview) -> int:
        self._await(select.POLLIN)
        try:
            count = self._sock.recv_into(view)
        except OSError as error:
            raise _DeadError("it hung up") from error
        self._progressed(time.monotonic())
        return count

    def _progressed(self, now: float) -> None:
        self._quiet_until = now + self._limits.stall_s

    def _await(self, event: int) -> None:
        """Wait until the socket can be read or written, and keep what comes on stderr meanwhile."""
        self._poll.modify(self._sock, event)
        while True:
            now = time.monotonic()
            left = min(self._quiet_until, self._ends) - now
            if left <= 0:
                if self._quiet_until < self._ends:
                    raise _LateError(f"no progress for {self._limits.stall_s:g} s")
                raise _LateError("it took longer than allowed")
            ready = {fd for fd, _ in self._poll.poll(max(1, int(left * 1000)))}
            if self._stderr.fileno() in ready:
                self._keep_stderr()
            if self._sock.fileno() in ready:
                return

    def _keep_stderr(self) -> None:
        text = self._stderr.read(1 << 16)
        if text:
            self._tail = (self._tail + text)[-_TAIL_BYTES:]
        elif text == b"":
            self._poll.unregister(self._stderr)

    def kill(self, grace_s: float = 0.0) -> None:
        """End it, after so many seconds in which it may end by itself, and wait until it is gone."""
        if self._stderr.closed:
            return
        self._sock.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(grace_s)
        self._killed = self._popen.poll() is None
        self._popen.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(10)
        text = self._stderr.read()
        self._tail = (self._tail + (text or b""))[-_TAIL_BYTES:]
        self._stderr.close()

    def post_mortem(self, said: str) -> MediaError:
        """Why it died, as well as its status and its last words tell."""
        self.kill(_LAST_WORDS_S)
        status = None if self._killed else self._popen.returncode
        tail = _clean(self._tail.decode(errors="replace").strip())
        last_line = _clean(self._tail.decode(errors="replace").strip().rpartition("\n")[2])
        if any(word in tail for word in _OUT_OF_MEMORY):
            return MediaError(ErrorKind.out_of_memory, "decoding needs more memory than allowed")
        if status is None or status == 0:
            return MediaError(ErrorKind.decoder_crash, f"the decoder broke off: {said}")
        if status > 0:
            return MediaError(ErrorKind.bug, last_line or f"the decoder ended with status {status}")
        name = _signal_name(-status)
        if -status in _FROM_OUTSIDE:
            return MediaError(ErrorKind.worker_crash, f"the decoder was killed from outside ({name})")
        words = f": {last_line}" if last_line else ""
        return MediaError(ErrorKind.decoder_crash, f"the decoder crashed ({name}){words}")


def _environment() -> dict[str, str]:
    """This process's environment, with our code first on the path and numeric libraries on one thread."""
    path = [str(_ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    # Each arena of glibc's allocator reserves 64 MiB of the address space that is limited.
    return {**os.environ, **_ONE_THREAD, "PYTHONPATH": os.pathsep.join(path), "MALLOC_ARENA_MAX": "2"}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _clean(text: object) -> str:
    """One line without control characters, no longer than a person reads."""
    plain = "".join(char if char.isprintable() else " " for char in str(text))
    plain = " ".join(plain.split())
    return plain if len(plain) <= _MAX_MESSAGE else plain[: _MAX_MESSAGE - 1] + "…"
