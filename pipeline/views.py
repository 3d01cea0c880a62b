"""The manifest's tables as views of a DuckDB connection that can reach nothing else."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from pipeline.manifest import Manifest
from pipeline.storage import is_remote
from schemas import TABLES, ConfigError

CHANGED = "the dataset was tidied by a run while it was read; ask again"
_VANISHED = re.compile(r"No such file or directory|Path does not exist|\.parquet/\*\*/\*\.parquet")
"""What a message then holds: of Arrow, for a folder or a store, and of DuckDB, which looks for a folder of the name."""
_PATTERN = re.compile(r"[*?\[\]{}]")
"""What makes a pattern of a path in DuckDB's eyes."""
_LOCKS = (
    "SET enable_external_access = false",
    "SET python_enable_replacements = false",
    "SET autoload_known_extensions = false",
    "SET autoinstall_known_extensions = false",
    "SET allow_community_extensions = false",
    # Last: after it nothing above can be taken back.
    "SET lock_configuration = true",
)


def view_name(table: str) -> str:
    """What a table is called in SQL: `scores/scan` is `scores_scan`."""
    return table.replace("/", "_")


@contextmanager
def open_tables(
    manifest: Manifest, tables: Iterable[str] = tuple(TABLES), *, memory_bytes: int | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A locked connection that knows some tables as views, and no other file and no network.

    A table not written yet is an empty view, and a column that an older dataset lacks is NULL.

    Args:
        manifest: The dataset's tables.
        tables: Names in `schemas.TABLES`.
        memory_bytes: What DuckDB may hold; more is spilled. By default most of the machine's memory.

    Raises:
        ConfigError: Another run has put the tables' files away while they were read.
    """
    with tempfile.TemporaryDirectory(prefix="rushes-sql-") as scratch, duckdb.connect(":memory:") as db:
        # What does not fit into memory is spilled; by default that would go to the user's working folder.
        db.execute("SET temp_directory = $1", [scratch])
        db.execute("SET TimeZone = 'UTC'")
        db.execute("SET enable_progress_bar = false")
        # Rows of tables have no order, and keeping one costs memory.
        db.execute("SET preserve_insertion_order = false")
        if memory_bytes is not None:
            db.execute("SET memory_limit = $1", [f"{memory_bytes // 2**20}MiB"])
        files = {table: manifest.files(table) for table in tables}
        direct = {table: paths for table, paths in files.items() if paths and all(map(_is_plain, paths))}
        db.execute("SET allowed_paths = $1", [sorted(path for paths in direct.values() for path in paths)])
        for statement in _LOCKS:
            db.execute(statement)
        try:
            for table in files:
                _add_view(db, manifest, table, direct.get(table, []))
            yield db
        except (duckdb.Error, OSError) as error:
            if vanished(error):
                raise ConfigError(CHANGED) from error
            raise


def vanished(error: Exception) -> bool:
    """Whether an error says that a table's files are gone."""
    return _VANISHED.search(str(error)) is not None


def _is_plain(path: str) -> bool:
    """Whether DuckDB can open a file by its name: it is local, and no pattern."""
    return not is_remote(path) and _PATTERN.search(path) is None


def _add_view(db: duckdb.DuckDBPyConnection, manifest: Manifest, table: str, paths: list[str]) -> None:
    name, schema = view_name(table), TABLES[table].schema
    stored: str | None = f'"stored_{name}"'
    if paths:
        # DuckDB reads files itself several times faster than through Arrow.
        listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
        stored = f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
    elif (dataset := manifest.dataset(table)) is not None:
        db.register(f"stored_{name}", dataset)
    else:
        stored = None
    if stored is None:
        db.register(name, schema.empty_table())
        return
    present = {row[0] for row in db.execute(f"DESCRIBE SELECT * FROM {stored}").fetchall()}
    missing = [field for field in schema if field.name not in present]
    if not missing:
        db.execute(f'CREATE VIEW "{name}" AS SELECT * FROM {stored}')
        return
    db.register(f"lacking_{name}", pa.schema(missing).empty_table())
    # A join on nothing gives the lacking columns their type and NULL in every row.
    db.execute(f'CREATE VIEW "{name}" AS SELECT * FROM {stored} LEFT JOIN "lacking_{name}" ON false')
