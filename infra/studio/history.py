"""What was made: a folder with each file, its first picture, and its record beside it."""

from __future__ import annotations

import json
import re
import secrets
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from pydantic import ConfigDict

from infra.studio.form import Reference
from schemas import Config, ConfigError

ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}", re.ASCII)
"""What the name of a result looks like: when it was asked for, and a random part. Names sort by time."""


class Entry(Config):
    """One result."""

    # What a later version writes besides does not hide a result from this one.
    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    set_id: str
    """The same for all results of one form: its first one's id."""
    number: int = 0
    """Which of them it is."""
    suffix: Literal[".mp4", ".png"]
    form: dict[str, Any]
    """As it was sent, so that it can be filled in again."""
    record: dict[str, Any]
    """What is written into the file."""
    notes: tuple[str, ...] = ()

    def seconds(self) -> float | None:
        """Of a video."""
        if self.suffix == ".png":
            return None
        num, den = self.record["frame_rate"]
        return float(self.record["num_frames"] * den / num)


def new_id(now: datetime | None = None) -> str:
    """A name for something that is to be made."""
    return f"{now or datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


class History:
    """The results in a folder.

    Args:
        folder: Made where it is not there.

    Raises:
        ConfigError: The folder cannot be made or read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._turn = Lock()
        self._entries: dict[str, Entry] = {}
        self.num_unread = 0
        """Records that say nothing we understand; their files are left alone."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            names = sorted(path.stem for path in folder.glob("*.json"))
        except OSError as error:
            raise ConfigError(f"{folder}: cannot be used: {error.strerror or error}") from error
        for name in names:
            entry = self._read(name)
            if entry is None:
                self.num_unread += 1
            elif self.file(entry).is_file():
                self._entries[entry.id] = entry

    def _read(self, name: str) -> Entry | None:
        try:
            text = (self.folder / f"{name}.json").read_text(encoding="utf-8")
            entry = Entry.model_validate(json.loads(text, parse_constant=_no_number))
            entry.seconds()
            sides = [entry.record[side] for side in ("width", "height")]
        except (OSError, ValueError, RecursionError, KeyError, TypeError, ZeroDivisionError):
            return None
        is_ours = entry.id == name and ID.fullmatch(name) is not None and all(type(side) is int for side in sides)
        return entry if is_ours else None

    def add(self, entry: Entry, picture: bytes) -> None:
        """Keep a result whose file is written.

        Args:
            entry: Of it.
            picture: Its first picture, a JPEG.

        Raises:
            ConfigError: It cannot be written down.
        """
        record = self.folder / f"{entry.id}.json"
        scratch = self.folder / f".{entry.id}.json"
        try:
            self.picture(entry).write_bytes(picture)
            scratch.write_text(entry.model_dump_json(indent=1), encoding="utf-8")
            scratch.replace(record)
        except OSError as error:
            raise ConfigError(f"{record}: cannot be written: {error.strerror or error}") from error
        with self._turn:
            self._entries[entry.id] = entry

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, name: str) -> Entry | None:
        """A result; None where there is no such one."""
        with self._turn:
            return self._entries.get(name)

    def newest(self, number: int, before: str | None = None) -> list[Entry]:
        """Results, the newest first; sets are not torn apart.

        Args:
            number: At least so many, where there are as many.
            before: Only older ones.
        """
        with self._turn:
            entries = sorted(self._entries.values(), key=lambda entry: (entry.set_id, -entry.number), reverse=True)
        older = [entry for entry in entries if before is None or entry.set_id < before]
        end = min(number, len(older))
        while 0 < end < len(older) and older[end].set_id == older[end - 1].set_id:
            end += 1
        return older[:end]

    def reference(self, name: str) -> Reference | None:
        """A result, to go on from it."""
        entry = self.find(name)
        if entry is None:
            return None
        width, height = entry.record["width"], entry.record["height"]
        return Reference(self.file(entry), entry.suffix == ".png", width, height, entry.seconds())

    def file(self, entry: Entry) -> Path:
        """Where a result lies."""
        return self.folder / f"{entry.id}{entry.suffix}"

    def picture(self, entry: Entry) -> Path:
        """Where its first picture lies, a JPEG."""
        return self.folder / f"{entry.id}.jpg"

    def drop_drafts(self, name: str) -> None:
        """Remove the drafts of a result that will never be."""
        for path in self.folder.glob(f"{name}.draft*"):
            path.unlink(missing_ok=True)

    def drafts(self, entry: Entry) -> list[Path]:
        """Where its drafts lie, in order."""
        found = []
        for number in count(1):
            path = self.folder / f"{entry.id}.draft{'' if number == 1 else f'-{number}'}{entry.suffix}"
            if not path.is_file():
                break
            found.append(path)
        return found
