from __future__ import annotations

import duckdb
import pytest

from schemas import TABLES


@pytest.mark.parametrize("name", TABLES)
def test_key_and_owner_are_columns(name: str) -> None:
    table = TABLES[name]
    assert {*table.key, table.owner} <= set(table.schema.names)


def test_no_column_is_named_by_an_sql_keyword() -> None:
    rows = duckdb.sql("SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'").fetchall()
    reserved = {name for (name,) in rows}
    columns = {column for table in TABLES.values() for column in table.schema.names}
    assert len(reserved) > 50
    assert not columns & reserved


def test_no_column_name_stands_twice_in_a_table() -> None:
    for table in TABLES.values():
        assert len(set(table.schema.names)) == len(table.schema.names), table.name
