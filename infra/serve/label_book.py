"""Reviewers' labels on their way into the table: journalled at once, committed when the dataset is free.

A label is first appended to a small journal file and only then counts as taken, so that a killed server loses
none. A thread commits what is pending under the dataset's lock; while a run holds that, labels wait. Each server has
a journal of its own and holds a kernel lock on it; one whose server died is taken over by the next server.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import pyarrow.dataset as ds

from pipeline.dataset import Dataset
from schemas import ConfigError, Row

FLUSH_S = 2.0
"""How long a label waits for others to be committed with it."""
MAX_NOTE = 500
"""Characters of a note."""
_SUFFIX = ".jsonl"


@dataclass(frozen=True, slots=True)
class Label:
    """What one reviewer says of one clip."""

    clip_id: str
    reviewer: str
    good: bool | None
    """None takes an earlier label back."""
    note: str | None
    created_at: str
    """ISO 8601, in UTC."""

    @property
    def key(self) -> tuple[str, str]:
        """What there is one label of."""
        return self.clip_id, self.reviewer

    @property
    def given_at(self) -> datetime:
        """When it was given."""
        return datetime.fromisoformat(self.created_at)

    def to_row(self) -> Row:
        """A row of the table `labels`."""
        return asdict(self) | {"created_at": self.given_at}


def now_label(clip_id: str, reviewer: str, good: bool | None, note: str | None) -> Label:
    """A label given now."""
    return Label(clip_id, reviewer, good, note, datetime.now(UTC).isoformat(timespec="microseconds"))


class LabelBook:
    """Takes labels and brings them into the table.

    Args:
        dataset: Whose labels.
        folder: Where journals lie; `journal_folder` by default.
        flush_s: How long a label waits for others before a commit is tried.

    Raises:
        ConfigError: The journal cannot be written.
    """

    def __init__(self, dataset: Dataset, folder: Path | None = None, *, flush_s: float = FLUSH_S) -> None:
        self._dataset, self._flush_s = dataset, flush_s
        self._guard = threading.Lock()
        self._committing = threading.Lock()
        self._stop = threading.Event()
        self._waiting_for = ""
        self._has_committed = False
        self._folder = journal_folder(dataset) if folder is None else folder
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._pending = _adopt(self._folder)
            self._journal = _new_journal(self._folder)
            self._append(self._pending.values())
        except OSError as error:
            raise ConfigError(f"{self._folder}: labels cannot be written down here: {error.strerror}") from error
        # Only now, when ours holds them too.
        _remove_orphans(self._folder)
        self._thread = threading.Thread(target=self._work, name="labels", daemon=True)
        self._thread.start()

    def add(self, label: Label) -> None:
        """Take a label; when this returns it is on disk.

        Raises:
            OSError: It cannot be written down.
        """
        with self._guard:
            self._append([label])
            self._pending[label.key] = label

    def pending(self) -> list[Label]:
        """The labels that are not in the table yet."""
        with self._guard:
            return list(self._pending.values())

    @property
    def message(self) -> str:
        """Where the labels are, as a sentence for the reviewer."""
        number = len(self.pending())
        if not number:
            return "All labels are saved."
        kept = f"{number} label{'s' if number > 1 else ''} kept safe in a journal"
        return f"{kept}, waiting: {self._waiting_for}" if self._waiting_for else f"{kept}, about to be saved."

    def flush(self) -> bool:
        """Try to commit what is pending; whether nothing is left."""
        with self._committing:
            batch = self.pending()
            if not batch:
                return True
            try:
                with self._dataset.lock(brief=True):
                    commit(self._dataset, batch)
            except ConfigError as error:
                self._waiting_for = str(error)
                return False
            self._waiting_for = ""
            self._has_committed = True
            with self._guard:
                for label in batch:
                    # One given anew in the meantime waits for the next commit.
                    if self._pending.get(label.key) == label:
                        del self._pending[label.key]
                self._rewrite()
                return not self._pending

    def close(self) -> None:
        """Commit what can be; what cannot stays in the journal for the next server."""
        self._stop.set()
        self._thread.join()
        is_empty = self.flush()
        if self._has_committed:
            # A run that holds the dataset now tidies it itself.
            with contextlib.suppress(ConfigError), self._dataset.lock(brief=True):
                self._dataset.manifest.tidy()
        path = Path(self._journal.name)
        if is_empty:
            path.unlink(missing_ok=True)
        self._journal.close()

    def _work(self) -> None:
        while not self._stop.wait(self._flush_s):
            self.flush()

    def _append(self, labels: Iterable[Label]) -> None:
        text = "".join(json.dumps(asdict(label)) + "\n" for label in labels)
        self._journal.write(text.encode())
        self._journal.flush()
        os.fsync(self._journal.fileno())

    def _rewrite(self) -> None:
        """Leave in the journal what is pending: emptied where nothing is, else only grown until it is."""
        if not self._pending:
            self._journal.truncate(0)
            os.fsync(self._journal.fileno())


def commit(dataset: Dataset, labels: Iterable[Label]) -> None:
    """Put labels in the place of their reviewers' earlier ones; other reviewers' labels of the clips stay.

    Args:
        dataset: Its lock is held by the caller.
        labels: One for each clip and reviewer.
    """
    fresh = {label.key: label for label in labels}
    clip_ids = sorted({clip_id for clip_id, _ in fresh})
    stored = dataset.manifest.read("labels", where=ds.field("clip_id").isin(clip_ids)).to_pylist()
    for row in stored:
        key = row["clip_id"], row["reviewer"]
        # One from the journal of a server that died may be older than what is there.
        if key in fresh and row["created_at"] is not None and row["created_at"] > fresh[key].given_at:
            del fresh[key]
    rows = [row for row in stored if (row["clip_id"], row["reviewer"]) not in fresh]
    rows += [label.to_row() for label in fresh.values() if label.good is not None]
    rows.sort(key=lambda row: (row["clip_id"], row["reviewer"]))
    dataset.manifest.replace("labels", rows, clip_ids)


def journal_folder(dataset: Dataset) -> Path:
    """Where a dataset's journals lie: in the dataset, or beside the user's other state where that is remote."""
    if not dataset.is_remote:
        return Path(dataset.path(".labels"))
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "rushes" / "labels" / hashlib.sha256(dataset.root.encode()).hexdigest()[:16]


def _new_journal(folder: Path) -> IO[bytes]:
    while True:
        journal = (folder / f"{os.getpid()}-{os.urandom(4).hex()}{_SUFFIX}").open("ab")
        fcntl.flock(journal, fcntl.LOCK_EX)
        # Before it was locked, a server that starts may have taken it for an orphan.
        if os.fstat(journal.fileno()).st_nlink:
            return journal
        journal.close()


def _orphans(folder: Path) -> list[Path]:
    """Journals whose servers are gone."""
    found = []
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        try:
            with path.open("rb") as journal:
                fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, FileNotFoundError):
            # In use, or another server that starts has just taken it over.
            continue
        found.append(path)
    return found


def _adopt(folder: Path) -> dict[tuple[str, str], Label]:
    labels = sorted(
        (label for path in _orphans(folder) for label in _read(path)),
        key=lambda label: label.created_at,
    )
    return {label.key: label for label in labels}


def _remove_orphans(folder: Path) -> None:
    for path in _orphans(folder):
        path.unlink(missing_ok=True)


def _read(path: Path) -> list[Label]:
    """The labels of a journal; a last line that was cut short was never acknowledged."""
    labels = []
    for line in path.read_bytes().splitlines():
        try:
            found = Label(**json.loads(line))
            found.given_at.astimezone(UTC)
        except (ValueError, TypeError):
            continue
        labels.append(replace(found, note=found.note and found.note[:MAX_NOTE]))
    return labels
