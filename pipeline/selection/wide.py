"""The table `wide`: whether it is of today, how it is made, and what stands in for it meanwhile."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import pyarrow as pa
from deltalake.exceptions import DeltaError

from pipeline.manifest import Manifest
from pipeline.views import open_tables, view_name
from schemas import TABLES, ConfigError, digest
from schemas.tables import WIDE_COLUMNS
from schemas.wide import WideColumn

MEMORY_BYTES = 2500 * 2**20
"""What DuckDB may hold; the writer of the table takes about a gigabyte beside it."""
BATCH_ROWS = 100_000
_PASS_BYTES = 1700 * 2**20
"""What the joins of one pass may hold: beyond it DuckDB would spill, which takes many times as long."""
_KEY_BYTES = 24
"""Of each row in the table of a join, beside its columns."""


@dataclass(frozen=True, slots=True)
class Wide:
    """A connection that knows a view `wide`."""

    db: duckdb.DuckDBPyConnection
    is_kept: bool
    """Whether it is the kept table; else it is joined anew."""


def source_tables() -> tuple[str, ...]:
    """The tables whose change makes a wide table old.

    What it takes of a video and of the captions that came with it changes only together with its clips.
    """
    return ("clips", *(name for name in TABLES if name.startswith("scores/")), "duplicates")


def source_digest(manifest: Manifest) -> str:
    """A digest of what a wide table would be made from now: a file never changes, and its name is never used again."""
    columns = [(column.name, str(column.type), column.sql) for column in WIDE_COLUMNS]
    tables = source_tables()
    # Each table's log is read by itself, on an object store over the network.
    with ThreadPoolExecutor(len(tables)) as threads:
        files = list(threads.map(manifest.files, tables))
    names = [[table, [path.rpartition("/")[2] for path in paths]] for table, paths in zip(tables, files, strict=True)]
    return digest([columns, names])


def is_current(manifest: Manifest) -> bool:
    """Whether the wide table was made from the other tables as they are."""
    return manifest.made_from("wide") == source_digest(manifest)


def tables_of(columns: Collection[str]) -> tuple[str, ...]:
    """The tables that some columns of the wide table are read from, beside `clips`."""
    wanted = {table for column in WIDE_COLUMNS if column.name in columns for table in column.tables}
    return tuple(name for name in TABLES if name in wanted)


@contextmanager
def open_wide(manifest: Manifest, columns: Sequence[str]) -> Iterator[Wide]:
    """A locked connection with a view `wide` of some columns: of the kept table if it is of today, else of the joins.

    Args:
        manifest: The dataset's tables.
        columns: Beside `clip_id` and `video_id`.
    """
    if is_current(manifest):
        with open_tables(manifest, ["wide"], memory_bytes=MEMORY_BYTES) as db:
            yield Wide(db, is_kept=True)
        return
    wanted = [column for column in WIDE_COLUMNS if column.name in columns]
    with open_tables(manifest, ["clips", *tables_of(columns)], memory_bytes=MEMORY_BYTES) as db:
        db.execute(f"CREATE TEMP VIEW wide AS {_join(wanted, hashed=True)}")
        yield Wide(db, is_kept=False)


def build(manifest: Manifest) -> None:
    """Make the table anew, in one commit.

    Raises:
        ConfigError: A table has several rows of one clip.
    """
    # Files that are put together later would make the table look old.
    manifest.tidy()
    made_from, num_clips = source_digest(manifest), manifest.count("clips")
    num_passes = max(1, math.ceil(num_clips * _bytes_a_clip(manifest) / _PASS_BYTES))
    tables = ("clips", *tables_of([column.name for column in WIDE_COLUMNS]))
    # Two ids of one hash, as in one of a hundred thousand runs over ten million clips, give a row too many.
    for hashed in (True, False):
        with open_tables(manifest, tables, memory_bytes=MEMORY_BYTES) as db:
            rows = Exactly(
                num_clips,
                (_join(WIDE_COLUMNS, hashed=hashed, part=(k, num_passes)) for k in range(num_passes)),
                db,
            )
            try:
                manifest.overwrite("wide", rows.reader(), made_from=made_from)
            except DeltaError:
                if not rows.is_wrong:
                    raise
            else:
                return
    raise ConfigError(f"{manifest.root}: a table has several rows of one clip: it was not written by `rushes run`")


class Exactly:
    """The answers to several statements as one, which fails before its end if it has not one row a clip.

    So nothing is committed of it then.

    Args:
        num_rows: How many rows there must be.
        statements: One after the other, all with the same columns.
        db: Where they run.
    """

    def __init__(self, num_rows: int, statements: Iterable[str], db: duckdb.DuckDBPyConnection) -> None:
        self._num_rows, self._statements, self._db = num_rows, iter(statements), db
        self.is_wrong = False
        """Whether it has failed for that reason."""

    def reader(self) -> pa.RecordBatchReader:
        """The rows, to be read once."""
        first = self._db.sql(next(self._statements)).to_arrow_reader(BATCH_ROWS)
        return pa.RecordBatchReader.from_batches(first.schema, self._batches(first))

    def _batches(self, first: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        seen = 0
        others = (self._db.sql(sql).to_arrow_reader(BATCH_ROWS) for sql in self._statements)
        for answer in itertools.chain([first], others):
            for batch in answer:
                seen += batch.num_rows
                yield batch
        if seen != self._num_rows:
            self.is_wrong = True
            raise ValueError(f"{seen} rows of {self._num_rows} clips")


def _bytes_a_clip(manifest: Manifest) -> int:
    """What the joins hold of one clip, about."""
    written = set(manifest.tables())
    columns = [column for column in WIDE_COLUMNS if set(column.tables) & written - {"videos", "captions"}]
    return 8 * len(columns) + _KEY_BYTES * len({table for column in columns for table in column.tables})


def _join(columns: Sequence[WideColumn], *, hashed: bool, part: tuple[int, int] = (0, 1)) -> str:
    """The statement that gives some columns of every clip, or of a part of the clips.

    Args:
        columns: Beside `clip_id` and `video_id`.
        hashed: Whether rows are brought together by 64-bit hashes of their ids, which takes half as long.
        part: Of how many parts which one; a video lies in one.
    """
    number, num_parts = part
    mine = f"hash(video_id) % {num_parts} = {number}" if num_parts > 1 else "true"
    key = "hash({0})" if hashed else "{0}"
    chosen = "".join(f', {column.sql} AS "{column.name}"' for column in columns)
    tables = tables_of([column.name for column in columns])
    joins = "".join(_left_join(table, key, mine) for table in tables)
    return (
        f"SELECT clips.clip_id, clips.video_id{chosen} FROM "
        f"(SELECT *, {key.format('clip_id')} AS clip_key, {key.format('video_id')} AS video_key "
        f"FROM clips WHERE {mine}) AS clips{joins}"
    )


def _left_join(table: str, key: str, mine: str) -> str:
    name, by = view_name(table), "video" if table == "videos" else "clip"
    rows = f"SELECT *, {key.format(f'{by}_id')} AS {by}_key FROM {name} WHERE {mine}"
    if table == "captions":
        came = f"SELECT DISTINCT clip_id FROM captions WHERE kind = 'original' AND {mine}"
        rows = f"SELECT clip_id, {key.format('clip_id')} AS clip_key FROM ({came})"
    return f" LEFT JOIN ({rows}) AS {name} ON {name}.{by}_key = clips.{by}_key"
