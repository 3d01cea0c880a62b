from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from infra.inspect.sql import Answer, open_views, score_columns, score_doc, view_names
from pipeline.dataset import Dataset
from pipeline.manifest import Manifest
from schemas import TABLES, ConfigError


@pytest.fixture
def db(dataset: Dataset) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_views(dataset.manifest) as opened:
        yield opened


def ask(db: duckdb.DuckDBPyConnection, sql: str, **options: Any) -> list[tuple[object, ...]]:
    with Answer(db, sql, **options) as answer:
        return list(answer.rows())


def test_every_table_is_a_view_even_before_it_is_written(tmp_path: Path) -> None:
    with open_views(Manifest(str(tmp_path))) as db:
        for name in view_names():
            assert ask(db, f"SELECT count(*) FROM {name}") == [(0,)]
        described = ask(db, "DESCRIBE clips")
    assert [row[0] for row in described] == TABLES["clips"].schema.names


def test_scores_has_one_row_a_clip_also_for_a_clip_without_scores(db: duckdb.DuckDBPyConnection) -> None:
    assert ask(db, "SELECT count(*) FROM scores") == ask(db, "SELECT count(*) FROM clips")
    with Answer(db, "SELECT * FROM scores LIMIT 0") as answer:
        assert answer.columns[:2] == ["clip_id", "video_id"]
        assert {"t_bright", "t_count"} <= set(answer.columns)
        assert len(answer.columns) == len(set(answer.columns))


def test_a_column_that_an_older_dataset_lacks_is_null(tmp_path: Path) -> None:
    manifest = Manifest(str(tmp_path))
    write_deltalake(manifest.uri("shots"), pa.table({"video_id": ["a", "b"], "of_later": [1, 2]}))
    with open_views(manifest) as db:
        rows = ask(db, "SELECT video_id, start_pts, detector, of_later FROM shots ORDER BY ALL")
    assert rows == [("a", None, None, 1), ("b", None, None, 2)]


@pytest.mark.parametrize(
    "sql",
    [
        "FROM files",
        "VALUES (1)",
        "SUMMARIZE files",
        "SHOW TABLES",
        "EXPLAIN SELECT * FROM clips",
        "WITH a AS (SELECT 1) SELECT * FROM a; -- done",
        "SELECT now(), INTERVAL 1 DAY, uuid(), 'x'::BLOB, {'a': [1]}, modified_at FROM files",
    ],
)
def test_what_only_reads_is_answered(db: duckdb.DuckDBPyConnection, sql: str) -> None:
    assert ask(db, sql)


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        pytest.param("SELECT clipid FROM clips", '"clip_id"', id="column, with the near miss"),
        pytest.param("SELECT * FROM clps", "did you mean 'clips'?", id="table, with the near miss"),
        pytest.param('SELECT * FROM "scores/scan"', "did you mean 'scores_scan'?", id="table by its folder"),
        pytest.param("SELECT * FROM zzzzzz", "there are files, videos", id="table like none"),
        pytest.param("SELEKT 1", "syntax error", id="syntax"),
        pytest.param("", "one statement", id="nothing"),
        pytest.param("SELECT 1; SELECT 2", "one statement is wanted, got 2", id="two"),
        pytest.param("SELECT ?", "parameters", id="parameter"),
        pytest.param("SELECT uri::INTEGER FROM files", "Could not convert", id="fails while it is read"),
    ],
)
def test_a_mistake_is_one_sentence(db: duckdb.DuckDBPyConnection, sql: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ask(db, sql)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("--sql: ")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM read_csv('{secret}')",
        "SELECT * FROM '{secret}'",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM query('FROM read_text(''{secret}'')')",
        "SELECT * FROM read_parquet('http://127.0.0.1:9/x.parquet')",
        "COPY files TO '{folder}/out.csv'",
        "EXPLAIN ANALYZE COPY files TO '{folder}/out.csv'",
        "ATTACH '{folder}/out.db'",
        "EXPORT DATABASE '{folder}/out'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET threads = 1",
        "RESET lock_configuration",
        "PRAGMA database_list",
        "CREATE TABLE t AS SELECT 1",
        "INSERT INTO files (uri) VALUES ('x')",
        "DROP VIEW clips",
        "CALL pragma_version()",
        "SELECT * FROM secret_of_python",
    ],
)
def test_nothing_but_the_tables_can_be_reached(db: duckdb.DuckDBPyConnection, tmp_path: Path, sql: str) -> None:
    secret_of_python = pa.table({"a": [1]})
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    with pytest.raises(ConfigError):
        ask(db, sql.format(secret=secret, folder=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]
    assert secret_of_python.num_rows == 1


ENDLESS = "SELECT count(*) FROM range(1000000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3"


@pytest.mark.parametrize("sql", [ENDLESS, ENDLESS.replace("count(*)", "a.range")], ids=["at once", "while read"])
def test_what_takes_too_long_is_stopped_and_the_connection_lives_on(db: duckdb.DuckDBPyConnection, sql: str) -> None:
    started = time.monotonic()
    with pytest.raises(ConfigError, match=r"stopped after 0\.3 s"), Answer(db, sql, timeout_s=0.3) as answer:
        for _ in answer.rows():
            pass
    assert time.monotonic() - started < 60
    assert ask(db, "SELECT 1") == [(1,)]
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


def test_the_time_that_a_reader_takes_is_not_counted(db: duckdb.DuckDBPyConnection) -> None:
    with Answer(db, "SELECT range FROM range(10000)", timeout_s=0.5) as answer:
        rows = answer.rows()
        next(rows)
        time.sleep(0.7)
        assert len(list(rows)) == 9999


def test_an_answer_left_half_read_frees_the_connection(db: duckdb.DuckDBPyConnection) -> None:
    with Answer(db, "SELECT range FROM range(1000000)") as answer:
        next(answer.rows())
    assert ask(db, "SELECT 2") == [(2,)]


def test_scores_are_told_from_ids_and_embeddings(maker: Callable[[], Any]) -> None:
    manifest = maker().dataset.manifest
    vector = pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2))
    data = {"clip_id": ["a"], "video_id": ["v"], "t_sharp": [1.0], "t_flag": [True], "t_vector": vector}
    write_deltalake(manifest.uri("scores/scan"), pa.table(data))
    with open_views(manifest) as db:
        found = {column.name: column.is_number for column in score_columns(db, "scores_scan")}
    ours = {name: found[name] for name in ("t_sharp", "t_flag", "t_vector")}
    assert ours == {"t_sharp": True, "t_flag": True, "t_vector": False}
    assert not {"clip_id", "video_id"} & found.keys()


def test_a_score_is_told_by_its_schema_and_an_unknown_one_by_nothing() -> None:
    schema = TABLES["scores/scan"].schema
    for field in schema:
        assert score_doc("scores/scan", field.name) == (field.metadata or {}).get(b"doc", b"").decode()
    assert score_doc("scores/scan", "of_later") == ""


@pytest.mark.parametrize(
    "asked",
    [lambda db: db.execute("FROM files").fetchall(), lambda db: ask(db, "FROM files")],
    ids=["ours", "a user's"],
)
def test_files_that_a_run_puts_away_meanwhile_are_told(
    tmp_path: Path, asked: Callable[[duckdb.DuckDBPyConnection], object]
) -> None:
    manifest = Manifest(str(tmp_path))
    manifest.append("files", [{"uri": "a"}])

    def ask_too_late() -> None:
        with open_views(manifest) as db:
            for path in (tmp_path / "manifest" / "files").glob("*.parquet"):
                path.unlink()
            asked(db)

    with pytest.raises(ConfigError, match="tidied by a run"):
        ask_too_late()
