"""The dataset's tables as DuckDB views, and a user's SQL over them that can touch nothing else."""

from __future__ import annotations

import difflib
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import duckdb
import pyarrow as pa

from pipeline.manifest import Manifest
from pipeline.views import CHANGED, open_tables, vanished, view_name
from schemas import TABLES, ConfigError

TIMEOUT_S = 60.0
"""How long one statement of a user's may run."""
BATCH_ROWS = 2048
"""Rows that are held at a time while an answer is read."""
_ALLOWED = frozenset({duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN})
_NUMBERS = frozenset({"BOOLEAN", "DOUBLE", "FLOAT", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UBIGINT"})
_MISSING_TABLE = re.compile(r"Table with name (\S+) does not exist")


def view_names() -> list[str]:
    """Every view, in the order of the tables; `scores` joins all the tables of scores."""
    return [*map(view_name, TABLES), "scores"]


def score_tables() -> list[str]:
    """The tables that hold scores, one a scorer."""
    return [name for name in TABLES if name.startswith("scores/")]


@dataclass(frozen=True, slots=True)
class ScoreColumn:
    """One score of a scorer's table."""

    name: str
    is_number: bool
    """Whether it can be sorted and drawn, a flag as 0 and 1; an embedding cannot."""


def score_columns(db: duckdb.DuckDBPyConnection, view: str) -> list[ScoreColumn]:
    """The scores that a view of a scorer's table holds, in its order."""
    described = db.execute(f"DESCRIBE {view}").fetchall()
    return [ScoreColumn(name, kind in _NUMBERS) for name, kind, *_ in described if name not in ("clip_id", "video_id")]


def score_doc(table: str, column: str) -> str:
    """What a score means, as its table's schema tells it; empty where it does not."""
    schema = TABLES[table].schema
    metadata: dict[bytes, bytes] = (schema.field(column).metadata if column in schema.names else None) or {}
    return metadata.get(b"doc", b"").decode()


@contextmanager
def open_views(manifest: Manifest) -> Iterator[duckdb.DuckDBPyConnection]:
    """A locked DuckDB connection that knows the manifest's tables as views, and no other file and no network.

    A table not written yet is an empty view, and a column that an older dataset lacks is NULL.

    Raises:
        ConfigError: Another run has put the tables' files away while they were read.
    """
    with open_tables(manifest) as db:
        _add_scores(db)
        yield db


class Answer:
    """What one statement of a user's gives, read batch by batch.

    Args:
        db: From `open_views`.
        sql: One `SELECT` (also `FROM`, `VALUES`, `DESCRIBE`, `SUMMARIZE`, `SHOW`) or `EXPLAIN`.
        timeout_s: Seconds that DuckDB may work on it; what the reader does between batches is not counted.

    Raises:
        ConfigError: The statement is wrong, is not allowed, or took too long; also while it is read.
    """

    def __init__(self, db: duckdb.DuckDBPyConnection, sql: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._db = db
        self._timeout_s = self._left_s = timeout_s
        # One for the whole answer: DuckDB may notice an interruption only when the next batch is asked for.
        self._expired = threading.Event()
        with self._working():
            _check(db, sql)
            self._reader = db.sql(sql).to_arrow_reader(BATCH_ROWS)
        self.columns: list[str] = self._reader.schema.names

    def __enter__(self) -> Self:
        """Nothing more; the statement runs already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the rest of the answer, so that the connection is free."""
        self._reader.close()

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Every row, as Python values in the order of `columns`."""
        while True:
            with self._working():
                batch = next(self._reader, None)
            if batch is None:
                return
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

    @contextmanager
    def _working(self) -> Iterator[None]:
        def stop() -> None:
            self._expired.set()
            self._db.interrupt()

        timer = threading.Timer(self._left_s, stop)
        timer.daemon = True
        started = time.monotonic()
        timer.start()
        try:
            yield
        # A statement that fails in the middle of its answer fails in Arrow's reader, as an OSError.
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            if self._expired.is_set():
                raise ConfigError(f"--sql: stopped after {self._timeout_s:g} s") from error
            if vanished(error):
                raise ConfigError(CHANGED) from error
            raise ConfigError(f"--sql: {_sentence(error)}") from error
        finally:
            timer.cancel()
            # One that has just fired must not interrupt the next statement.
            timer.join()
            self._left_s = max(self._left_s - (time.monotonic() - started), 0.001)


def _check(db: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = db.extract_statements(sql)
    if len(statements) != 1:
        raise ConfigError(f"--sql: one statement is wanted, got {len(statements)}")
    kind = statements[0].type
    if kind not in _ALLOWED:
        raise ConfigError(f"--sql: a dataset is only read here: SELECT or EXPLAIN is wanted, got {kind.name}")
    if statements[0].named_parameters:
        raise ConfigError("--sql: parameters ($1, ?) have no values here; write the values in")


def _sentence(error: Exception) -> str:
    """DuckDB's message on one line, with our near miss where its own would name a system table."""
    text = str(error).partition("\nLINE ")[0]
    missing = _MISSING_TABLE.search(text)
    if missing is None:
        return " ".join(text.split())
    name = missing[1].strip('"')
    near = difflib.get_close_matches(name.replace("/", "_"), view_names(), n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(view_names())}"
    return f"there is no table {name!r}; {hint}"


def _add_scores(db: duckdb.DuckDBPyConnection) -> None:
    chosen = ["clips.clip_id", "clips.video_id"]
    joins: list[str] = []
    for table in score_tables():
        name = view_name(table)
        chosen += [f'{name}."{column.name}"' for column in score_columns(db, name)]
        joins.append(f"LEFT JOIN {name} ON {name}.clip_id = clips.clip_id")
    db.execute(f"CREATE TEMP VIEW scores AS SELECT {', '.join(chosen)} FROM clips {' '.join(joins)}")
