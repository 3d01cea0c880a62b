"""The manifest: the dataset's tables as Delta tables, and the only way to read and write them.

A commit to one table is atomic; commits to several are made in an order that leaves the ledger last, so
that a unit of work counts as done only when all its rows are there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs
from deltalake import ColumnProperties, CommitProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import TableNotFoundError

from pipeline.shares import Share, shares
from pipeline.storage import filesystem, is_remote
from schemas import TABLES, Row

_PROPERTIES = {
    # What a commit replaced is of no use once the next one is in: no command reads an old version that it did
    # not pin itself, and plain Parquet readers must find the current rows alone.
    "delta.logRetentionDuration": "interval 0 seconds",
    "delta.deletedFileRetentionDuration": "interval 0 seconds",
    "delta.checkpointInterval": "100000",
}
_LONG_LOG = 64
"""Log entries after which one checkpoint replaces them; reading a log costs about 0.2 ms an entry."""
_MADE_FROM = "madeFrom"
"""Of a commit: Delta writes its own keys like this."""
_IDS_A_PREDICATE = 500
"""Ids in one `IN (…)`: parsing grows faster than linear beyond a few thousand."""
_TARGET_FILE_BYTES = 128 * 2**20
_GATHERED_FILE_BYTES = 8 * 2**20
"""Files so large are not written anew while a run goes on: each time that would be all there is."""
_BATCH_ROWS = 2**14
_GROUP_ROWS, _GROUP_ROWS_OF_WIDE = 2**14, 2**17
"""Writers and readers hold a row group at a time, so that its size is what keeps their memory from growing with the
dataset. The wide table's rows are small, and queries over all of it are a little faster with few groups."""


class Manifest:
    """The tables of one dataset.

    Args:
        root: The dataset's folder: a local path, or a URL of an object store (`s3://bucket/dataset`) whose
            credentials and endpoint come from the usual environment variables.
    """

    def __init__(self, root: str) -> None:
        remote = is_remote(root)
        self.root = root.rstrip("/") if remote else str(Path(root.removeprefix("file://")).absolute())
        self._options = _object_store_options() if remote else None

    def __repr__(self) -> str:
        """Show where the tables lie."""
        return f"Manifest({self.root!r})"

    def uri(self, table: str) -> str:
        """The folder or URL of a table."""
        if table not in TABLES:
            raise KeyError(f"no table {table!r}; there are {sorted(TABLES)}")
        return f"{self.root}/manifest/{table}"

    def tables(self) -> list[str]:
        """The names of the tables that have been written, in the order of the contract."""
        return [name for name in TABLES if self._delta(name) is not None]

    def dataset(self, table: str) -> ds.Dataset | None:
        """A table's current files, for readers that stream; None where nothing was written yet."""
        delta = self._delta(table)
        if delta is None:
            return None
        # Without a file system of Arrow's own, Arrow's threads call back into Python, also while the process ends:
        # then it aborts.
        return delta.to_pyarrow_dataset(filesystem=_arrow_filesystem(self.uri(table)))

    def _delta(self, table: str) -> DeltaTable | None:
        try:
            return DeltaTable(self.uri(table), storage_options=self._options)
        except TableNotFoundError:
            return None

    def read(self, table: str, columns: Sequence[str] | None = None, where: ds.Expression | None = None) -> pa.Table:
        """Its current rows in the schema of `schemas.tables`; none where nothing was written yet.

        Args:
            table: A name in `schemas.TABLES`.
            columns: Which columns, in which order; all without it.
            where: A condition on the rows, pushed down into the Parquet files.
        """
        schema = TABLES[table].schema
        wanted = pa.schema([schema.field(name) for name in columns]) if columns is not None else schema
        stored = self.dataset(table)
        if stored is None:
            return wanted.empty_table()
        present = [name for name in wanted.names if name in stored.schema.names]
        return _conform(stored.to_table(columns=present, filter=where), wanted)

    def batches(
        self, table: str, columns: Sequence[str], where: ds.Expression | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Its current rows a batch at a time, in no order; none where nothing was written yet.

        Args:
            table: A name in `schemas.TABLES`.
            columns: Which columns; those that an older dataset lacks are null.
            where: A condition on the rows, pushed down into the Parquet files.
        """
        wanted = pa.schema([TABLES[table].schema.field(name) for name in columns])
        stored = self.dataset(table)
        if stored is None:
            return
        present = [name for name in columns if name in stored.schema.names]
        scanned = stored.to_batches(
            columns=present, filter=where, batch_size=_BATCH_ROWS, batch_readahead=2, fragment_readahead=1
        )
        for batch in scanned:
            if batch.num_rows:
                yield from _conform(pa.Table.from_batches([batch]), wanted).to_batches()

    def files(self, table: str) -> list[str]:
        """The Parquet files that hold its current rows: paths, or URLs of an object store."""
        delta = self._delta(table)
        return [] if delta is None else sorted(delta.file_uris())

    def count(self, table: str) -> int:
        """How many rows it holds."""
        stored = self.dataset(table)
        return 0 if stored is None else int(stored.count_rows())

    def shares(self, rows_a_share: int, *tables: str) -> list[Share]:
        """Shares of the ids in which the largest of some tables has about so many rows each."""
        return shares(max(map(self.count, tables)), rows_a_share)

    def append(self, table: str, rows: pa.Table | Iterable[Row]) -> None:
        """Add rows in one commit; nothing is committed for no rows."""
        data = to_table(table, rows)
        if data.num_rows:
            self._write(table, data, predicate=None)

    def replace(
        self, table: str, rows: pa.Table | Iterable[Row], owners: Sequence[str], *, among: tuple[str, str] | None = None
    ) -> None:
        """Put rows in the place of all that these owners had, in one commit.

        Args:
            table: A name in `schemas.TABLES`.
            rows: The new rows; may be none.
            owners: Values of the table's owner column.
            among: A column of strings and the value to which the replacement is limited.
        """
        data = to_table(table, rows)
        column = TABLES[table].owner
        if not owners or self._delta(table) is None:
            self.append(table, data)
            return
        limited = "" if among is None else f" AND {among[0]} = {_quoted(among[1])}"
        spare = [owners[k : k + _IDS_A_PREDICATE] for k in range(0, len(owners), _IDS_A_PREDICATE)]
        for ids in spare:
            predicate = f"{column} IN ({', '.join(map(_quoted, ids))}){limited}"
            mine = data.filter(pc.is_in(data[column], pa.array(ids, pa.string())))
            self._write(table, mine, predicate=predicate)

    def overwrite(self, table: str, rows: pa.Table | pa.RecordBatchReader, *, made_from: str | None = None) -> None:
        """Put rows in the place of all that there are, in one commit; a reader is written as it is read.

        Args:
            table: A name in `schemas.TABLES`.
            rows: In the table's schema, or with columns that can be cast to it; columns they lack are null.
            made_from: What `made_from` tells afterwards.
        """
        schema = TABLES[table].schema
        batches = rows.to_batches() if isinstance(rows, pa.Table) else rows
        conformed = (
            batch for some in batches for batch in _conform(pa.Table.from_batches([some]), schema).to_batches()
        )
        reader = pa.RecordBatchReader.from_batches(schema, conformed)
        properties = CommitProperties(custom_metadata={_MADE_FROM: made_from}) if made_from is not None else None
        self._write(table, reader, predicate=None, mode="overwrite", properties=properties)

    def made_from(self, table: str) -> str | None:
        """What the last `overwrite` was told of the rows' origin; None where that is nothing, or long ago."""
        delta = self._delta(table)
        commits = delta.history(_LONG_LOG) if delta is not None else []
        return next((commit.get(_MADE_FROM) for commit in commits if commit["operation"] == "WRITE"), None)

    def replace_share(
        self, table: str, rows: pa.Table | Iterable[Row], share: Share, *, among: tuple[str, str] | None = None
    ) -> None:
        """Put rows in the place of all whose owner lies in a share of the ids, in one commit.

        Args:
            table: A name in `schemas.TABLES`.
            rows: The new rows, all of that share; may be none.
            share: Of the values of the table's owner column.
            among: A column of strings and the value to which the replacement is limited.
        """
        data = to_table(table, rows)
        if self._delta(table) is None:
            self.append(table, data)
            return
        owner = TABLES[table].owner
        conditions = [f"{owner} >= {_quoted(share.low)}"]
        conditions += [] if share.high is None else [f"{owner} < {_quoted(share.high)}"]
        conditions += [] if among is None else [f"{among[0]} = {_quoted(among[1])}"]
        self._write(table, data, predicate=" AND ".join(conditions))

    def tidy(self) -> None:
        """Leave each table in few files that hold exactly its current rows, and nothing else in its folder."""
        for table in TABLES:
            delta = self._delta(table)
            if delta is None:
                continue
            if len(delta.file_uris()) > 1:
                delta.optimize.compact(target_size=_TARGET_FILE_BYTES, writer_properties=_writer(table))
            # In full: a shortened log no longer tells of what was gathered, nor does any of what a killed writer left.
            delta.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True)
            self._shorten_log(table, delta)

    def gather(self, tables: Iterable[str]) -> None:
        """Put the small files of tables together and shorten their logs, so that the next commits stay cheap.

        What was put together stays there for those who are reading it, until `tidy`.
        """
        for table in tables:
            delta = self._delta(table)
            if delta is not None:
                delta.optimize.compact(target_size=_GATHERED_FILE_BYTES, writer_properties=_writer(table))
                self._shorten_log(table, delta)

    def _shorten_log(self, table: str, delta: DeltaTable) -> None:
        fs, folder = filesystem(self.uri(table))
        if len(fs.glob(f"{folder}/_delta_log/*.json")) > _LONG_LOG:
            delta.create_checkpoint()
            delta.cleanup_metadata()

    def _write(
        self,
        table: str,
        data: pa.Table | pa.RecordBatchReader,
        *,
        predicate: str | None,
        mode: Literal["append", "overwrite"] = "append",
        properties: CommitProperties | None = None,
    ) -> None:
        shared: dict[str, Any] = {
            "schema_mode": "merge",
            "configuration": _PROPERTIES,
            "storage_options": self._options,
            "writer_properties": _writer(table),
            "commit_properties": properties,
        }
        if predicate is None:
            write_deltalake(self.uri(table), data, mode=mode, **shared)
        else:
            write_deltalake(self.uri(table), data, mode="overwrite", predicate=predicate, **shared)


def _writer(table: str) -> WriterProperties:
    # Scores hardly ever repeat: a dictionary of them takes ten times as long to write and half as long again to
    # read.
    schema = TABLES[table].schema
    as_they_are = [field.name for field in schema if pa.types.is_float64(field.type)]
    return WriterProperties(
        max_row_group_size=_GROUP_ROWS_OF_WIDE if table == "wide" else _GROUP_ROWS,
        column_properties={name: ColumnProperties(dictionary_enabled=False) for name in as_they_are},
    )


def to_table(table: str, rows: pa.Table | Iterable[Row]) -> pa.Table:
    """Rows as an Arrow table in the table's schema; a column that a row lacks is null.

    Raises:
        ValueError: A row has a column that the table has not.
    """
    schema = TABLES[table].schema
    if isinstance(rows, pa.Table):
        return _conform(rows, schema)
    listed = list(rows)
    known = set(schema.names)
    for row in listed:
        if unknown := row.keys() - known:
            raise ValueError(f"table {table} has no column {sorted(unknown)}")
    return pa.Table.from_pylist([dict(row) for row in listed], schema=schema)


def _conform(data: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        data[field.name].cast(field.type) if field.name in data.schema.names else pa.nulls(data.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _quoted(text: str) -> str:
    """A string literal of the predicate's SQL: a quote is doubled and nothing else is special."""
    return "'" + text.replace("'", "''") + "'"


def _arrow_filesystem(uri: str) -> pyarrow.fs.FileSystem:
    """Arrow's own access to a folder or a prefix."""
    if not is_remote(uri):
        return pyarrow.fs.SubTreeFileSystem(uri, pyarrow.fs.LocalFileSystem())
    if not uri.startswith("s3://"):
        store, path = pyarrow.fs.FileSystem.from_uri(uri)
        return pyarrow.fs.SubTreeFileSystem(path, store)
    scheme, _, host = os.environ.get("AWS_ENDPOINT_URL", "").rpartition("://")
    endpoint = {"endpoint_override": host, "scheme": scheme} if host else {}
    return pyarrow.fs.SubTreeFileSystem(uri.removeprefix("s3://"), pyarrow.fs.S3FileSystem(**endpoint))


def _object_store_options() -> dict[str, str]:
    """What `deltalake` needs beyond the environment it reads itself.

    A plain-HTTP endpoint must be allowed by name, and commits are made safe by conditional writes.
    """
    options = {"aws_conditional_put": "etag"}
    if os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"):
        options["AWS_ALLOW_HTTP"] = "true"
    return options
