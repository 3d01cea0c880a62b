"""The inputs that one step has to do, on disk: a driver's memory does not grow with their number."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from schemas import Input

_PAGE = 256
"""Entries that are held at a time."""
_TABLES = """
CREATE TABLE work (
    place INTEGER PRIMARY KEY, input_id TEXT UNIQUE, rank REAL, text TEXT, unit_key TEXT, parts TEXT,
    is_stale INTEGER, is_done INTEGER DEFAULT 0
);
CREATE INDEX by_rank ON work (rank, place);
CREATE TABLE leftover (owned_in TEXT, input_id TEXT, PRIMARY KEY (owned_in, input_id)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One input that is to be done, as a worker is given it."""

    input_id: str
    cost_s: float
    text: str
    """`Input.to_row` as JSON."""


@dataclass(frozen=True, slots=True)
class Key:
    """What the ledger will record of one input."""

    unit_key: str
    parts: str
    is_stale: bool
    """Whether the ledger has a row of it already."""


class Worklist:
    """Inputs with what the ledger needs of them, in a file that has no name and goes with this object.

    For use by several threads.
    """

    def __init__(self) -> None:
        # An empty name is SQLite's private file: pages beyond its small cache go to the temporary folder.
        self._db = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1024;")
        self._db.executescript(_TABLES)
        self._lock = threading.Lock()
        self._size = 0

    @classmethod
    def of(cls, items: Iterable[Input]) -> Self:
        """A list of inputs of which no ledger is kept."""
        worklist = cls()
        for item in items:
            worklist.add(item, Key("", "", is_stale=False))
        return worklist

    def add(self, item: Input, key: Key) -> None:
        """Take one more input; the first of two with one id counts."""
        text = json.dumps(dict(item.to_row()))
        row = (item.input_id, -item.cost_s, text, key.unit_key, key.parts, key.is_stale)
        with self._lock:
            added = self._db.execute(
                "INSERT OR IGNORE INTO work (input_id, rank, text, unit_key, parts, is_stale) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                row,
            )
            self._size += added.rowcount

    def __len__(self) -> int:
        """How many inputs it was given."""
        return self._size

    def entries(self) -> Iterator[Entry]:
        """All of them, the most costly first, so that none is left to run alone at the end."""
        return self._pages("")

    def unfinished(self) -> Iterator[Entry]:
        """Those that `finish` was not told of, the most costly first."""
        return self._pages("AND NOT is_done")

    def finish(self, input_id: str) -> bool:
        """Note that an input has its result; whether that is news."""
        with self._lock:
            done = self._db.execute("UPDATE work SET is_done = 1 WHERE input_id = ? AND NOT is_done", (input_id,))
            return done.rowcount > 0

    def key(self, input_id: str) -> Key:
        """What the ledger records of an input."""
        with self._lock:
            found = self._db.execute("SELECT unit_key, parts, is_stale FROM work WHERE input_id = ?", (input_id,))
            unit_key, parts, is_stale = found.fetchone()
        return Key(unit_key, parts, bool(is_stale))

    def note_leftovers(self, table: str, owners: Iterable[str]) -> None:
        """Remember which of its inputs have rows in a table already."""
        with self._lock:
            self._db.executemany(
                "INSERT OR IGNORE INTO leftover SELECT ?, input_id FROM work WHERE input_id = ?",
                ((table, owner) for owner in owners),
            )

    def leftovers(self, table: str, input_ids: Iterable[str]) -> list[str]:
        """Which of these had rows in the table."""
        question = "SELECT 1 FROM leftover WHERE owned_in = ? AND input_id = ?"
        with self._lock:
            return [one for one in input_ids if self._db.execute(question, (table, one)).fetchone() is not None]

    def _pages(self, condition: str) -> Iterator[Entry]:
        rank, place = float("-inf"), -1
        while True:
            with self._lock:
                page = self._db.execute(
                    "SELECT input_id, -rank, text, rank, place FROM work "
                    f"WHERE (rank, place) > (?, ?) {condition} ORDER BY rank, place LIMIT {_PAGE}",
                    (rank, place),
                ).fetchall()
            if not page:
                return
            for input_id, cost_s, text, *_ in page:
                yield Entry(input_id, cost_s, text)
            *_, rank, place = page[-1]
