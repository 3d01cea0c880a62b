"""The guard against a child that does everything a decoder can do wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.media import DecoderChild, MediaLimits
from schemas.errors import ErrorKind, MediaError

MODULE = """
import ctypes, gc, os, pathlib, signal, socket, sys, time
import pipeline.media.service as service
from pipeline.media.wire import Reply
from schemas.errors import ErrorKind, MediaError

def echo(job):
    return Reply({"args": dict(job.args), "pid": os.getpid()}, [b"", b"blob" * 1000])

def read(job):
    return Reply({"text": os.read(job.fd, 100).decode(), "num_fds": len(os.listdir("/proc/self/fd"))})

def hang(job):
    ctypes.CDLL(None).pause()  # in native code, with Python's lock given up

def hold(job):
    ctypes.PyDLL(None).sleep(1000)  # in native code, with Python's lock held

def slow(job):
    for step in range(job.args["steps"]):
        time.sleep(0.1)
        job.progress(step)
    return Reply({})

def crash(job):
    ctypes.string_at(0)

def abort(job):
    sys.stderr.write("\\x1b[31mdecoder says:\\ngood bye\\n"); sys.stderr.flush()
    os.abort()

def once(job):
    marker = pathlib.Path(job.args["marker"])
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return Reply({"pid": os.getpid()})

def kill(job):
    os.kill(os.getpid(), signal.SIGKILL)

def memory(job):
    blocks = []
    while True:
        blocks.append(bytearray(16 << 20))

def bug(job):
    raise ZeroDivisionError("\\x1b[2J a bug of ours")

def leave(job):
    os._exit(0)

def refuse(job):
    raise MediaError(ErrorKind.playlist, "points\\nelsewhere \\x1b[2J" + "x" * 10_000)

def flood(job):
    return Reply({}, [bytes(1 << 20)] * 8)

def chatter(job):
    sys.stderr.write("noise\\n" * 1_000_000)
    print("to stdout")
    return Reply({})

def babble(job):
    sock = next(one for one in gc.get_objects() if isinstance(one, socket.socket))
    sock.sendall(b"\\x80\\x04\\x95 not a message")
    time.sleep(100)

if __name__ == "__main__":
    service.serve({name: value for name, value in globals().items() if callable(value)})
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that a child can be told to run."""
    (tmp_path / "naughty_child.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "naughty_child"


LIMITS = MediaLimits(memory_bytes=256 << 20, max_reply_bytes=4 << 20, recycle_after=5)


@pytest.fixture
def child(module: str) -> Iterator[DecoderChild]:
    with DecoderChild(module, LIMITS) as child:
        yield child


@pytest.fixture
def watched(module: str) -> Iterator[DecoderChild]:
    """One that is killed after a second without progress."""
    with DecoderChild(module, replace(LIMITS, stall_s=1.0)) as child:
        yield child


def is_gone(pid: int, within_s: float = 5.0) -> bool:
    ends = time.monotonic() + within_s
    while time.monotonic() < ends:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def error_of(child: DecoderChild, job: str, **args: object) -> MediaError:
    with pytest.raises(MediaError) as caught:
        child.call(job, args)
    return caught.value


def test_a_job_and_its_blobs_come_back(child: DecoderChild) -> None:
    reply = child.call("echo", {"a": [1, "é", None]})
    assert reply.header["args"] == {"a": [1, "é", None]}
    assert [bytes(blob) for blob in reply.blobs] == [b"", b"blob" * 1000]


def test_one_process_does_many_jobs_and_is_replaced_after_its_share(child: DecoderChild) -> None:
    pids = [child.call("echo", {}).header["pid"] for _ in range(12)]
    assert [len(set(pids[:5])), len(set(pids[5:10])), len(set(pids))] == [1, 1, 3]


def test_a_file_is_handed_over_and_closed_there_but_not_here(child: DecoderChild, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    counts = []
    for _ in range(3):
        with (tmp_path / "file").open() as file:
            header = child.call("read", {}, file.fileno()).header
            assert header["text"] == "content"
            assert file.read() in ("content", "")
            counts.append(header["num_fds"])
    assert len(set(counts)) == 1


@pytest.mark.parametrize("job", ["hang", "hold"])
def test_a_child_that_stands_still_is_killed(watched: DecoderChild, job: str) -> None:
    pid = watched.call("echo", {}).header["pid"]
    started = time.monotonic()
    error = error_of(watched, job)
    assert error.kind is ErrorKind.timeout
    assert "no progress for 1 s" in str(error)
    assert time.monotonic() - started < 5
    assert is_gone(pid)
    assert watched.call("echo", {}).header["pid"] != pid


def test_slow_work_that_makes_progress_is_left_alone_and_heard(watched: DecoderChild) -> None:
    heard: list[int] = []
    watched.call("slow", {"steps": 15}, on_progress=heard.append)
    assert heard == sorted(heard)
    assert len(heard) >= 3


def test_a_job_has_a_deadline_even_with_progress(child: DecoderChild) -> None:
    with pytest.raises(MediaError, match="longer than allowed") as caught:
        child.call("slow", {"steps": 100}, job_s=0.5)
    assert caught.value.kind is ErrorKind.timeout


@pytest.mark.parametrize(
    ("job", "kind", "words"),
    [
        ("crash", ErrorKind.decoder_crash, "SIGSEGV"),
        ("abort", ErrorKind.decoder_crash, "SIGABRT"),
        ("kill", ErrorKind.worker_crash, "SIGKILL"),
        ("memory", ErrorKind.out_of_memory, "memory"),
        ("bug", ErrorKind.bug, "ZeroDivisionError: "),
        ("leave", ErrorKind.decoder_crash, "broke off"),
        ("refuse", ErrorKind.playlist, "points elsewhere"),
        ("flood", ErrorKind.decoder_crash, "over the cap"),
        ("babble", ErrorKind.decoder_crash, "message"),
    ],
)
def test_every_end_has_its_kind_and_the_next_job_works(
    child: DecoderChild, capfd: pytest.CaptureFixture[str], job: str, kind: ErrorKind, words: str
) -> None:
    error = error_of(child, job)
    assert error.kind is kind
    assert words in str(error)
    assert str(error).isprintable()
    assert len(str(error)) < 1000
    assert child.call("echo", {"a": 1}).header["args"] == {"a": 1}
    assert capfd.readouterr() == ("", "")


def test_the_last_words_of_a_crash_are_told(child: DecoderChild) -> None:
    assert "good bye" in str(error_of(child, "abort"))


def test_noise_on_stdout_and_stderr_neither_blocks_nor_shows(
    child: DecoderChild, capfd: pytest.CaptureFixture[str]
) -> None:
    child.call("chatter", {})
    assert child.call("echo", {}).header["args"] == {}
    assert capfd.readouterr() == ("", "")


def test_a_child_killed_while_idle_costs_no_job(child: DecoderChild) -> None:
    pid = child.call("echo", {}).header["pid"]
    os.kill(pid, signal.SIGKILL)
    assert child.call("echo", {}).header["pid"] != pid


def test_a_job_whose_child_is_killed_once_is_done_again(child: DecoderChild, tmp_path: Path) -> None:
    assert child.call("once", {"marker": str(tmp_path / "marker")}).header["pid"] == child.pid


def test_a_child_that_is_killed_once_while_it_starts_costs_no_job(module: str, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    dies = f"""
import os, pathlib, signal
if not pathlib.Path({str(marker)!r}).exists():
    pathlib.Path({str(marker)!r}).touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    (tmp_path / "weak_child.py").write_text(dies + MODULE)
    with DecoderChild("weak_child", LIMITS) as child:
        assert child.call("echo", {"a": 1}).header["args"] == {"a": 1}
    assert marker.exists()


def test_an_interrupted_call_leaves_no_answer_for_the_next(child: DecoderChild) -> None:
    def interrupt(frames: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        child.call("slow", {"steps": 5}, on_progress=interrupt)
    assert child.call("echo", {"a": 2}).header["args"] == {"a": 2}


def test_a_module_that_does_not_start_is_said_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "broken_child.py").write_text("raise RuntimeError('broken at import')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with DecoderChild("broken_child", MediaLimits()) as child:
        error = error_of(child, "echo")
    assert error.kind is ErrorKind.worker_crash
    assert "broken at import" in str(error)


def test_what_lies_in_the_working_directory_is_not_imported(
    module: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trap = tmp_path / "footage"
    trap.mkdir()
    for name in ("av", "json", "schemas", "numpy"):
        (trap / f"{name}.py").write_text("raise SystemExit('trapped')")
    monkeypatch.chdir(trap)
    with DecoderChild(module, MediaLimits()) as child:
        assert child.call("echo", {}).header["args"] == {}


def test_close_ends_the_process_and_a_later_call_starts_another(child: DecoderChild) -> None:
    pid = child.call("echo", {}).header["pid"]
    child.close()
    assert child.pid is None
    assert is_gone(pid)
    assert child.call("echo", {}).header["pid"] != pid


@pytest.mark.parametrize("job", ["echo", "hang", "hold"])
def test_a_child_does_not_outlive_its_parent(module: str, tmp_path: Path, job: str) -> None:
    script = f"""
import sys
from pipeline.media import DecoderChild, MediaLimits
child = DecoderChild({module!r}, MediaLimits())
print(child.call("echo", {{}}).header["pid"], flush=True)
child.call({job!r}, {{}})
sys.stdin.read()
"""
    root = str(Path(__file__).parents[3])
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{tmp_path}"}
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        time.sleep(0.2)
        assert not is_gone(pid, 0.05)
        parent.kill()
        assert is_gone(pid)
