"""The dataset folder: where everything lies in it, what it was made with, and who may write to it."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from pipeline.manifest import Manifest
from pipeline.storage import filesystem, first_line, is_remote, transfer_errors
from schemas import FORMAT_VERSION, ConfigError

_BRIEF = "labels, "
"""How the name of a writer begins that is done in a moment."""
_BRIEF_S = 30.0
"""How long one waits for such a writer."""
_POLL_S = 0.05
_LEASE_S = 60.0
"""How long an object store's lock outlives a writer that no longer renews it."""


class Dataset:
    """A dataset at a local path or at a URL of an object store.

    Raises:
        ConfigError: The place cannot be reached, or holds a dataset of another format.
    """

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/") or "/"
        self.fs, self._base = filesystem(self.root)
        self.is_remote = is_remote(root)
        self.manifest = Manifest(root)

    def path(self, *parts: str) -> str:
        """A path below the dataset, for `self.fs`."""
        return "/".join((self._base.rstrip("/"), *parts))

    def preview_path(self, video_id: str) -> str:
        """The tar that holds a video's preview pictures."""
        return self.path("previews", video_id[:2], f"{video_id}.tar")

    def exists(self) -> bool:
        """Whether a dataset has been started here."""
        return bool(self.fs.exists(self.path("dataset.yaml")))

    def create(self) -> None:
        """Make the folder, or check that what is there is a dataset that we can write.

        Raises:
            ConfigError: It cannot be written, or is of another format.
        """
        try:
            self.fs.makedirs(self.path(), exist_ok=True)
            started = self.exists()
        except transfer_errors() as error:
            raise ConfigError(f"{self.root}: cannot be made: {first_line(error)}") from error
        if started:
            self.describe()

    def describe(self) -> dict[str, Any]:
        """What `dataset.yaml` says.

        Raises:
            ConfigError: There is no dataset here, or one of another format.
        """
        try:
            described = yaml.safe_load(self.fs.cat_file(self.path("dataset.yaml")))
        except FileNotFoundError as error:
            raise ConfigError(f"{self.root}: holds no dataset (there is no dataset.yaml)") from error
        except transfer_errors() as error:
            raise ConfigError(f"{self.root}/dataset.yaml: cannot be read: {first_line(error)}") from error
        except yaml.YAMLError as error:
            raise ConfigError(f"{self.root}/dataset.yaml: cannot be read: is not YAML") from error
        version = described.get("format_version") if isinstance(described, dict) else None
        if version != FORMAT_VERSION:
            raise ConfigError(f"{self.root}/dataset.yaml: format_version is {version!r}, we read {FORMAT_VERSION}")
        return dict(described)

    def write_description(self, config: Mapping[str, Any], models: Mapping[str, str]) -> None:
        """Record what the dataset is made with."""
        text = yaml.safe_dump(
            {"format_version": FORMAT_VERSION, "config": dict(config), "models": dict(models)},
            sort_keys=False,
        )
        self._write_whole(self.path("dataset.yaml"), text.encode())

    def write_run(self, run_id: str, record: Mapping[str, Any]) -> None:
        """Record one run, in `runs/RUN_ID.json`."""
        self._write_whole(self.path("runs", f"{run_id}.json"), json.dumps(record, indent=1).encode())

    def read_run(self, run_id: str) -> dict[str, Any] | None:
        """What was recorded of a run; None where there is no record."""
        try:
            return dict(json.loads(self.fs.cat_file(self.path("runs", f"{run_id}.json"))))
        except FileNotFoundError:
            return None

    def _write_whole(self, path: str, data: bytes) -> None:
        self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        if self.is_remote:
            self.fs.pipe_file(path, data)
            return
        scratch = f"{path}.{os.getpid()}.tmp"
        Path(scratch).write_bytes(data)
        Path(scratch).replace(path)

    @contextmanager
    def lock(self, *, brief: bool = False) -> Iterator[None]:
        """Be the only writer until the end of the block.

        One that is brief, as a commit of labels, is waited for by others; any other writer turns them away at once.
        On a file system the kernel holds the lock and drops it when the process dies. On an object store it
        is an object made by a conditional PUT, which its owner renews; one that is not renewed for a
        minute is taken over.

        Args:
            brief: This writer is done in a moment.

        Raises:
            ConfigError: Another run is writing, or the folder cannot be written.
        """
        name = f"{_BRIEF if brief else ''}process {os.getpid()} on {socket.gethostname()}"
        with _object_lease(self, name) if self.is_remote else _kernel_lock(self.path(".lock"), self.root, name):
            yield


@contextmanager
def _kernel_lock(path: str, root: str, name: str) -> Iterator[None]:
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ConfigError(f"{root}: cannot be written: {error.strerror}") from error
    try:
        until = time.monotonic() + _BRIEF_S
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                holder = os.pread(fd, 200, 0).decode(errors="replace").strip()
                # One that holds it and has no name yet writes it in the next moment.
                if time.monotonic() > until or not (holder.startswith(_BRIEF) or not holder):
                    raise ConfigError(_taken(root, holder)) from error
            time.sleep(_POLL_S)
        os.ftruncate(fd, 0)
        os.pwrite(fd, name.encode(), 0)
        try:
            yield
        finally:
            # A name that stays behind would speak for the next one, before that writes its own.
            os.ftruncate(fd, 0)
    finally:
        os.close(fd)


def _taken(root: str, holder: str = "") -> str:
    return f"{root}: another run is writing to this dataset" + (f" ({holder})" if holder else "")


@contextmanager
def _object_lease(dataset: Dataset, name: str) -> Iterator[None]:
    bucket, _, key = dataset.path("lock.json").partition("/")
    lease = _Lease(dataset, bucket, key, name)
    until = time.monotonic() + _BRIEF_S
    while (brief := lease.take()) is not None:
        if time.monotonic() > until:
            raise ConfigError(_taken(dataset.root, brief))
        time.sleep(20 * _POLL_S)
    stop = threading.Event()
    renewer = threading.Thread(target=lease.renew_until, args=(stop,), daemon=True)
    renewer.start()
    try:
        yield
    finally:
        stop.set()
        renewer.join()
        lease.release()


class _Lease:
    """An object that says who writes and until when; every change to it is conditional on its last ETag."""

    def __init__(self, dataset: Dataset, bucket: str, key: str, name: str) -> None:
        self._root, self._fs = dataset.root, dataset.fs
        self._where = {"Bucket": bucket, "Key": key}
        self._name = name
        self._etag = ""

    def take(self) -> str | None:
        """Become the writer.

        Returns:
            None, or the name of a writer that is worth waiting for: it is done in a moment.

        Raises:
            ConfigError: Another writer's lease has not run out.
        """
        if not hasattr(self._fs, "call_s3"):
            raise ConfigError(f"{self._root}: a dataset can be written to a folder or to s3://, not here")
        try:
            self._put(IfNoneMatch="*")
        except OSError as taken:
            try:
                reply = self._fs.call_s3("get_object", **self._where)
                held = json.loads(self._fs.cat_file(f"{self._where['Bucket']}/{self._where['Key']}"))
            except FileNotFoundError:
                # It was let go in between.
                return "unknown"
            if held["until"] > time.time():
                if str(held["writer"]).startswith(_BRIEF):
                    return str(held["writer"])
                raise ConfigError(_taken(self._root, held["writer"])) from taken
            try:
                self._put(IfMatch=reply["ETag"])
            except OSError as error:
                raise ConfigError(_taken(self._root)) from error
        return None

    def renew_until(self, stop: threading.Event) -> None:
        """Prolong the lease again and again; a process that cannot must not write on, and ends."""
        until = time.time() + _LEASE_S
        while not stop.wait(_LEASE_S / 4):
            try:
                self._put(IfMatch=self._etag)
                until = time.time() + _LEASE_S
            except OSError as error:
                if time.time() > until - _LEASE_S / 4:
                    sys.stderr.write(f"rushes: {self._root}: the lock was lost: {error}\n")
                    os._exit(1)

    def release(self) -> None:
        """Let the next writer in."""
        self._fs.call_s3("delete_object", **self._where)

    def _put(self, **condition: str) -> None:
        body = json.dumps({"writer": self._name, "until": time.time() + _LEASE_S}).encode()
        self._etag = self._fs.call_s3("put_object", Body=body, **self._where, **condition)["ETag"]
