from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow.compute as pc
import pytest

from pipeline.manifest import Manifest, to_table


def files(*uris: str, outcome: str = "ok") -> list[dict[str, object]]:
    return [{"uri": uri, "outcome": outcome} for uri in uris]


def outcomes(manifest: Manifest) -> dict[str, str]:
    table = manifest.read("files", ["uri", "outcome"])
    return dict(zip(table["uri"].to_pylist(), table["outcome"].to_pylist(), strict=True))


def test_a_table_never_written_reads_as_no_rows_of_its_schema(tmp_path: Path) -> None:
    table = Manifest(str(tmp_path)).read("clips", ["clip_id", "num_frames"])
    assert (table.num_rows, table.schema.names) == (0, ["clip_id", "num_frames"])


def test_replacing_touches_the_named_owners_alone(tmp_path: Path) -> None:
    manifest = Manifest(str(tmp_path))
    manifest.append("files", files("a", "b's", "c"))
    manifest.replace("files", files("b's", outcome="error"), ["b's", "c", "never there"])
    assert outcomes(manifest) == {"a": "ok", "b's": "error"}


def test_replacing_the_ledger_stays_within_one_stage(tmp_path: Path) -> None:
    manifest = Manifest(str(tmp_path))
    manifest.append(
        "ledger",
        [{"unit_key": f"{stage}-1", "stage": stage, "input_id": "x"} for stage in ("ingest", "scan")],
    )
    again = {"unit_key": "scan-2", "stage": "scan", "input_id": "x"}
    manifest.replace("ledger", [again], ["x"], among=("stage", "scan"))
    assert sorted(manifest.read("ledger")["unit_key"].to_pylist()) == ["ingest-1", "scan-2"]


@pytest.mark.parametrize("uri", ["it's", "back\\slash", "'; DROP TABLE files; --", "né\u202e\n", "%20'"])
def test_a_hostile_id_is_nothing_but_an_id(tmp_path: Path, uri: str) -> None:
    manifest = Manifest(str(tmp_path))
    manifest.append("files", files(uri, "other"))
    manifest.replace("files", files(uri, outcome="error"), [uri])
    assert outcomes(manifest) == {uri: "error", "other": "ok"}


def test_a_tidy_table_holds_its_current_rows_alone_and_any_parquet_reader_sees_them(tmp_path: Path) -> None:
    manifest = Manifest(str(tmp_path))
    for k in range(10):
        manifest.append("files", files(f"{k}"))
    manifest.replace("files", files("3", outcome="error"), ["3"])
    manifest.tidy()
    folder = tmp_path / "manifest" / "files"
    assert len(list(folder.glob("*.parquet"))) == 1
    seen = pd.read_parquet(folder)
    assert dict(zip(seen["uri"], seen["outcome"], strict=True)) == outcomes(manifest)
    assert len(seen) == 10


def test_tidying_many_commits_shortens_the_log(tmp_path: Path) -> None:
    manifest = Manifest(str(tmp_path))
    for k in range(70):
        manifest.append("files", files(f"{k}"))
    manifest.tidy()
    log = tmp_path / "manifest" / "files" / "_delta_log"
    assert len(list(log.glob("*.json"))) < 5
    assert manifest.count("files") == 70


def test_small_files_are_gathered_while_somebody_reads_them(tmp_path: Path) -> None:
    manifest = Manifest(str(tmp_path))
    for k in range(70):
        manifest.append("files", files(f"{k}"))
    reading = manifest.dataset("files")
    assert reading is not None
    manifest.gather(["files", "videos"])
    assert len(manifest.files("files")) == 1
    assert len(list((tmp_path / "manifest" / "files" / "_delta_log").glob("*.json"))) < 5
    assert reading.count_rows() == manifest.count("files") == 70
    assert sorted(reading.to_table()["uri"].to_pylist()) == sorted(outcomes(manifest))
    manifest.tidy()
    assert len(list((tmp_path / "manifest" / "files").glob("*.parquet"))) == 1


def test_a_condition_selects_rows(tmp_path: Path) -> None:
    manifest = Manifest(str(tmp_path))
    manifest.append("files", [*files("a"), *files("b", outcome="error")])
    assert manifest.read("files", ["uri"], where=pc.field("outcome") == "error")["uri"].to_pylist() == ["b"]


def test_a_column_that_the_table_has_not_is_our_bug() -> None:
    with pytest.raises(ValueError, match=r"no column.*colour"):
        to_table("files", [{"uri": "a", "colour": 1}])
