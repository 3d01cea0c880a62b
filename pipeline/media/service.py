"""The child's side: take one job after the other from the parent, and end with it.

A module that ends in `serve({"probe": probe_job, …})` is what `DecoderChild` runs.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from av.error import FFmpegError

from pipeline.media import wire
from pipeline.media.container import quiet, translated
from pipeline.media.limits import MediaLimits
from pipeline.media.wire import Reply
from schemas.errors import ErrorKind, MediaError

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Job:
    """One request of the parent's."""

    args: Mapping[str, Any]
    fd: int | None
    """An open file; closed after the job."""
    limits: MediaLimits
    progress: Callable[[int], None]
    """Call it often, with the number of frames so far: a job that does not is killed as hanging."""


Handler = Callable[[Job], Reply]


def serve(handlers: Mapping[str, Handler]) -> None:
    """Answer jobs until the parent is gone.

    `MediaError`, FFmpeg's errors and a lack of memory become answers. Anything else is our own bug: it ends
    this process with a traceback on stderr, which the parent reports.
    """
    limits = MediaLimits.from_json(json.loads(sys.argv[1]))
    sock = _take_socket()
    _die_with_parent()
    _confine(limits)
    quiet()
    try:
        wire.send(sock, {"type": "ready"})
        while _serve_one(sock, handlers, limits):
            pass
    except wire.ClosedError:
        return


def _take_socket() -> socket.socket:
    """Move the parent's socket away from stdin, where a library could read it."""
    sock = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return sock


def _die_with_parent() -> None:
    """Be killed when the parent's thread ends, also in the middle of native code.

    A parent that ended before this call is seen by the end of the socket.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _confine(limits: MediaLimits) -> None:
    """No core dumps, and no more address space than what the imports took and the budget."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    cap = pages * resource.getpagesize() + limits.memory_bytes
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        cap = min(cap, hard)
    resource.setrlimit(resource.RLIMIT_AS, (cap, cap))


def _serve_one(sock: socket.socket, handlers: Mapping[str, Handler], limits: MediaLimits) -> bool:
    """Do one job; False where the parent is gone."""
    first, fds, _, _ = socket.recv_fds(sock, 1, 1)
    if not first:
        return False
    try:
        request = wire.receive(_reader(first, sock), limits.max_reply_bytes)
        job = Job(request.header["args"], fds[0] if fds else None, limits, wire.Heartbeat(sock))
        answer = _answer(handlers[request.header["job"]], job)
    finally:
        for fd in fds:
            os.close(fd)
    wire.send(sock, *answer)
    return True


def _reader(first: bytes, sock: socket.socket) -> wire.Receive:
    pending = [first]

    def read(view: memoryview) -> int:
        if pending:
            view[:1] = pending.pop()
            return 1
        return sock.recv_into(view)

    return read


def _answer(handler: Handler, job: Job) -> tuple[dict[str, Any], list[wire.Blob]]:
    try:
        reply = handler(job)
    except MediaError as error:
        said = error
    except FFmpegError as error:
        said = translated(error, ErrorKind.corrupt, "while decoding")
    except MemoryError:
        said = MediaError(ErrorKind.out_of_memory, "decoding needs more memory than allowed")
    else:
        return {"type": "done", "value": dict(reply.header)}, list(reply.blobs)
    return {"type": "error", "kind": said.kind.value, "message": str(said)}, []
