from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.sidecars import Metadata, MetadataTable, SidecarError, read_sidecar
from schemas import ConfigError


def _write(path: Path, data: bytes | str) -> str:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return str(path)


def test_a_text_is_the_caption_without_blanks_around_it(tmp_path: Path) -> None:
    uri = _write(tmp_path / "film.txt", "\ufeff  a red ball\nrolls \r\n")
    assert read_sidecar(uri) == Metadata(caption="a red ball\nrolls")


def test_json_gives_the_values_that_we_know_and_others_are_no_matter(tmp_path: Path) -> None:
    uri = _write(
        tmp_path / "film.json",
        '{"text": "unused", "caption": "a ball", "license": "CC0", "url": "https://x", "title": "", "n": 1}',
    )
    assert read_sidecar(uri) == Metadata(caption="a ball", license="CC0", source_url="https://x")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        pytest.param("a.json", "[" * 100_000, "is nested too deeply", id="nested"),
        pytest.param("a.json", '{"a":' * 100_000, "is nested too deeply", id="nested objects"),
        pytest.param("a.json", '{"caption": 5}', "'caption' must be a text, got int", id="wrong type"),
        pytest.param("a.json", '{"caption": ["a"]}', "'caption' must be a text, got list", id="a list"),
        pytest.param("a.json", "[1]", "must hold a JSON object, got list", id="no object"),
        pytest.param("a.json", "", "is not JSON: ", id="empty"),
        pytest.param("a.json", '{"caption": "x"', "is not JSON: ", id="cut off"),
        pytest.param("a.json", '{"n": ' + "9" * 5000 + "}", "is not JSON: ", id="a number without end"),
        pytest.param("a.json", b"\xff\xfe\x00", "is not UTF-8", id="no UTF-8"),
        pytest.param("a.txt", b"caf\xe9", "is not UTF-8 (at byte 3)", id="latin-1"),
        pytest.param("a.txt", b" " * (2**20 + 1), "is longer than 1048576 bytes", id="huge"),
    ],
)
def test_a_hostile_sidecar_is_refused_with_its_reason(
    tmp_path: Path, name: str, data: bytes | str, message: str
) -> None:
    uri = _write(tmp_path / name, data)
    with pytest.raises(SidecarError) as raised:
        read_sidecar(uri)
    assert str(raised.value).startswith(message)


def test_what_utf8_cannot_hold_does_not_reach_the_tables(tmp_path: Path) -> None:
    found = read_sidecar(_write(tmp_path / "a.json", r'{"caption": "a \ud800 b\u0000"}'))
    assert found.caption == "a ? b"


def test_values_of_the_first_go_before_those_of_the_second() -> None:
    one, other = Metadata(caption="a", title=None), Metadata(caption="b", title="t")
    assert one | other == Metadata(caption="a", title="t")


@pytest.mark.parametrize(
    ("named", "uri"),
    [
        pytest.param("footage/a.mp4", "footage/a.mp4", id="as listed"),
        pytest.param("a.mp4", "footage/sub/a.mp4", id="a bare name"),
        pytest.param("./footage/../footage/a.mp4", "footage/a.mp4", id="another spelling"),
        pytest.param("{here}/footage/a.mp4", "footage/a.mp4", id="absolute"),
        pytest.param("footage/a.mp4", "{here}/footage/a.mp4", id="absolute input"),
        pytest.param("s3://bucket/a.mp4", "s3://bucket/a.mp4", id="URL"),
        pytest.param("../clips/a.mp4", "clips/a.mp4", id="from the table's folder"),
    ],
)
def test_a_file_is_found_under_the_names_people_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, uri: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tables").mkdir()
    _write(tmp_path / "tables/meta.csv", f"path,caption\n{named.format(here=tmp_path)},a ball\n")
    table = MetadataTable(["tables/meta.csv"])
    assert table.get(uri.format(here=tmp_path)).caption == "a ball"
    assert table.get("elsewhere/b.mp4") == Metadata()


def test_several_tables_fill_each_others_gaps(tmp_path: Path) -> None:
    one = _write(tmp_path / "one.csv", "uri,caption,license\na.mp4,first,\n")
    two = _write(tmp_path / "two.csv", 'File,Licence,title,other\r\na.mp4,CC0,"a, b",9\r\n')
    assert MetadataTable([one, two]).get("a.mp4") == Metadata(caption="first", license="CC0", title="a, b")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param("name,caption\n", "line 1: no column is named uri, path or file", id="no path"),
        pytest.param("pth,caption\n", "did you mean 'path' with 'pth'?", id="near path"),
        pytest.param("uri,captions\na,b\n", "did you mean 'caption' with 'captions'?", id="near value"),
        pytest.param("uri,caption\na,b\nc\n", "line 3: 1 columns, the first line has 2", id="short row"),
        pytest.param("uri,caption\na,b\n,x\n", "line 3, column uri: is empty", id="no name"),
        pytest.param('uri,caption\na,"b\n', "line 2: unexpected end of data", id="open quote"),
        pytest.param(b"uri,caption\na,b\nc,caf\xe9\n", "line 3: is not UTF-8 text", id="no UTF-8"),
        pytest.param("uri,uri,caption\n", "line 1: a column is named twice", id="twice"),
        pytest.param("", "line 1: no column is named uri, path or file", id="empty"),
    ],
)
def test_a_broken_table_names_file_line_and_column(tmp_path: Path, data: bytes | str, message: str) -> None:
    path = _write(tmp_path / "meta.csv", data)
    with pytest.raises(ConfigError) as raised:
        MetadataTable([path])
    assert str(raised.value).startswith(f"ingest.metadata: {path}, line")
    assert message in str(raised.value)


def test_a_missing_table_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match=r"^ingest.metadata: none.csv: cannot be read: No such file or directory$"):
        MetadataTable(["none.csv"])


def test_tables_and_sidecars_may_lie_on_an_object_store(s3) -> None:
    table = s3.put("meta.csv", b"path,caption\nfilms/a.mp4,a ball\n")
    assert MetadataTable([table]).get(f"{s3.url}/films/a.mp4").caption == "a ball"
    assert read_sidecar(s3.put("films/a.txt", b"a cube")).caption == "a cube"
