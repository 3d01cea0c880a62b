"""Places for decoders on this machine, shared by all workers of all runs, and freed by the kernel when one dies."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from pathlib import Path

from schemas.errors import ConfigError


class Slots:
    """A number of places, each a locked file.

    A worker's first decoder takes one if there is one and runs all the same if not, so that work never waits; further
    decoders of the same video run only where a place is free.

    Args:
        count: How many places the machine has.
        folder: Where the files lie; the same for all that share them.
    """

    def __init__(self, count: int, folder: Path | None = None) -> None:
        self._count = count
        self._folder = own_folder("slots") if folder is None else folder

    def take(self) -> Slot | None:
        """A free place, or None; never waits."""
        for number in range(self._count):
            fd = os.open(self._folder / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
            else:
                return Slot(fd)
        return None


class Slot:
    """One place taken."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def free(self) -> None:
        """Give it back."""
        os.close(self._fd)


def own_folder(name: str) -> Path:
    """A folder of this user's in the machine's folder for temporary files.

    Raises:
        ConfigError: Something of that name is there already and not this user's folder.
    """
    path = Path(tempfile.gettempdir()) / f"rushes-{os.getuid()}-{name}"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be made: {error.strerror}") from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise ConfigError(f"{path}: is not a folder of this user's; set TMPDIR to another place")
    return path
