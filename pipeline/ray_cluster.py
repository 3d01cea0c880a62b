"""A Ray cluster for as long as a block runs: one that is there, or one on this machine."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from schemas import ConfigError

_OBJECT_STORE_BYTES = 256 * 2**20
"""Rows are small; Ray's default would take a third of the machine's memory."""


@contextmanager
def cluster(address: str | None = None, cpus: int | None = None) -> Iterator[None]:
    """Reach a cluster, or start one and end it with the block; quiet for all that time.

    Args:
        address: A running cluster, as `ray.init` takes it (`auto`, `ray://host:10001`); workers get our packages.
        cpus: How many cores of this machine to use without `address`; all by default.

    Raises:
        ConfigError: No cluster answers.
    """
    # Read when Ray is first imported: what raylets say of dead workers would else be printed to our
    # stdout; a worker's death is told by the rows it leaves.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
    import ray

    with ExitStack() as started:
        started.enter_context(_quiet())
        if address is None:
            # The socket paths below it must stay under 108 bytes, so not every TMPDIR would do.
            scratch = tempfile.mkdtemp(prefix="rushes-ray-", dir="/tmp")
            started.callback(shutil.rmtree, scratch, ignore_errors=True)
            ray.init(
                address="local",
                num_cpus=cpus or len(os.sched_getaffinity(0)),
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE_BYTES,
                _temp_dir=scratch,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        else:
            try:
                ray.init(
                    address=address,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    runtime_env={"py_modules": _our_packages()},
                )
            except (ConnectionError, OSError, RuntimeError) as error:
                raise ConfigError(f"--address {address}: no Ray cluster answers: {error}") from error
        started.callback(ray.shutdown)
        yield


def _our_packages() -> list[str]:
    """The folders of the packages that workers elsewhere need, as they lie here."""
    root = Path(__file__).parent.parent
    return [str(root / name) for name in ("schemas", "pipeline", "captioner", "trainer", "infra")]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what Ray and its processes write about themselves off this terminal.

    Their native code writes to file descriptor 2, so for that time it leads nowhere, while our own
    `sys.stderr` goes on to where it led before.
    """
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    ours = sys.stderr
    try:
        os.dup2(nowhere, 2)
        if _is_fd_2(ours):
            sys.stderr = os.fdopen(os.dup(kept), "w", buffering=1)
        yield
    finally:
        if sys.stderr is not ours:
            sys.stderr.close()
            sys.stderr = ours
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _is_fd_2(stream: Any) -> bool:
    try:
        return bool(stream.fileno() == 2)
    except (AttributeError, OSError, ValueError):
        return False
