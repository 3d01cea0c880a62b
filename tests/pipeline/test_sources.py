from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pipeline.source_file import SourceFile, SourceKind
from pipeline.sources import list_sources
from pipeline.storage import to_path
from schemas import ConfigError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of the test, empty."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def _make(*names: str) -> None:
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode("utf-8", "surrogateescape"))


def _uris(*inputs: str) -> list[str]:
    return [source.uri for source in list_sources(inputs)]


def _only(*inputs: str) -> SourceFile:
    (source,) = list_sources(inputs)
    return source


def test_a_folder_gives_everything_below_it_sorted_with_the_folder_as_given(here: Path) -> None:
    _make("in/b.mp4", "in/a/z.mp4", "in/a/deep/er/x.mov", "in/c.txt")
    expected = ["in/b.mp4", "in/c.txt", "in/a/deep/er/x.mov", "in/a/z.mp4"]
    assert sorted(_uris("in")) == sorted(expected)
    assert _uris("in") == _uris("in/") == _uris("in")
    assert sorted(_uris("./in")) == sorted(f"./{uri}" for uri in expected)
    assert sorted(_uris(str(here / "in"))) == sorted(f"{here}/{uri}" for uri in expected)


def test_every_uri_opens_from_the_same_working_directory(here: Path) -> None:
    _make(
        "in/a.mp4",
        "in/sub dir/-i.mp4",
        "in/star*q?[a].mp4",
        "in/caf\udce9.mp4",
        r"in/b\xe9.mp4",
        "in/new\nline.mp4",
    )
    for given in ("in", "./in", str(here / "in"), "in/*.mp4"):
        for uri in _uris(given):
            path = Path(to_path(uri))
            assert path.read_bytes().decode("utf-8", "surrogateescape").endswith(path.name)


def test_length_and_time_are_those_of_the_file(here: Path) -> None:
    _make("a.mp4")
    os.utime("a.mp4", ns=(0, 1_700_000_000_123_456_789))
    source = _only("a.mp4")
    assert (source.num_bytes, source.modified_us) == (5, 1_700_000_000_123_456)


def test_links_to_files_are_followed_and_links_to_folders_are_told_but_not_entered(here: Path) -> None:
    _make("in/a.mp4", "outside/b.mp4")
    Path("in/file.mp4").symlink_to("../outside/b.mp4")
    Path("in/up").symlink_to("..")
    Path("in/loop").symlink_to(".")
    kinds = {source.uri: source.kind for source in list_sources(["in"])}
    assert kinds == {
        "in/a.mp4": SourceKind.file,
        "in/file.mp4": SourceKind.file,
        "in/loop": SourceKind.folder_link,
        "in/up": SourceKind.folder_link,
    }


def test_hidden_folders_are_told_but_not_entered_unless_they_are_the_input(here: Path) -> None:
    _make("in/.git/objects/ab", "in/@eaDir/a.mp4/thumb.jpg", "in/a.mp4")
    kinds = {source.uri: source.kind for source in list_sources(["in"])}
    assert kinds == {
        "in/.git": SourceKind.hidden_folder,
        "in/@eaDir": SourceKind.hidden_folder,
        "in/a.mp4": SourceKind.file,
    }
    assert _uris("in/.git") == ["in/.git/objects/ab"]


def test_an_input_that_is_a_link_to_a_folder_is_entered(here: Path) -> None:
    _make("real/a.mp4")
    Path("link").symlink_to("real")
    assert _uris("link") == ["link/a.mp4"]


def test_what_is_no_file_is_listed_as_what_it_is(here: Path) -> None:
    os.mkfifo("fifo.mp4")
    Path("dangling.mp4").symlink_to("nowhere.mp4")
    Path("self.mp4").symlink_to("self.mp4")
    Path("zero.mp4").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("socket.mp4")
    kinds = {source.uri: source.kind for source in list_sources(["."])}
    assert kinds == {
        "./dangling.mp4": SourceKind.broken_link,
        "./fifo.mp4": SourceKind.fifo,
        "./self.mp4": SourceKind.link_loop,
        "./socket.mp4": SourceKind.socket,
        "./zero.mp4": SourceKind.device,
    }


def test_a_path_longer_than_the_system_takes_is_one_unreadable_row(here: Path) -> None:
    top = os.getcwd()
    for _ in range(20):
        os.mkdir("d" * 250)
        os.chdir("d" * 250)
    Path("deep.mp4").write_bytes(b"x")
    os.chdir(top)
    (source,) = list_sources(["."])
    assert (source.kind, source.problem) == (SourceKind.unreadable, "File name too long")


def test_each_uri_comes_once_however_often_it_is_named(here: Path) -> None:
    _make("in/a.mp4", "in/b.mp4")
    assert _uris("in/b.mp4", "in", "in/*.mp4") == ["in/b.mp4", "in/a.mp4"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param("in/*.mp4", ["in/a.mp4", "in/b.mp4"], id="one level"),
        pytest.param("in/**/*.mp4", ["in/a.mp4", "in/b.mp4", "in/sub/c.mp4"], id="any depth"),
        pytest.param("in/s*/[c].mp4", ["in/sub/c.mp4"], id="in folders"),
        pytest.param("in/*", ["in/a.mp4", "in/b.mp4", "in/note.md", "in/sub/c.mp4"], id="folders are walked"),
        pytest.param("in/**", ["in/a.mp4", "in/b.mp4", "in/note.md", "in/sub/c.mp4"], id="all"),
        pytest.param("in/?.mp4", ["in/a.mp4", "in/b.mp4"], id="one letter"),
        pytest.param("*/.*.mp4", ["in/.hidden.mp4"], id="hidden by name"),
    ],
)
def test_globs_name_what_a_shell_would(here: Path, pattern: str, expected: list[str]) -> None:
    _make("in/a.mp4", "in/b.mp4", "in/sub/c.mp4", "in/.hidden.mp4", "in/note.md")
    Path("in/again").symlink_to("sub")
    assert sorted(_uris(pattern)) == expected


def test_a_file_whose_name_looks_like_a_glob_is_itself(here: Path) -> None:
    _make("a[1].mp4", "a1.mp4")
    assert _uris("a[1].mp4") == ["a[1].mp4"]


def test_a_uri_with_escaped_bytes_is_taken_as_an_input(here: Path) -> None:
    _make("caf\udce9.mp4")
    assert _uris(r"caf\xe9.mp4") == [r"caf\xe9.mp4"]


def test_a_list_gives_one_input_a_line(here: Path) -> None:
    _make("a.mp4", "in/b.mp4", "sp ace.mp4", "caf\udce9.mp4")
    Path("list.txt").write_bytes(b"a.mp4\r\n\nin\nsp ace.mp4\ncaf\xe9.mp4\n")
    assert _uris("@list.txt") == ["a.mp4", "in/b.mp4", "sp ace.mp4", r"caf\xe9.mp4"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        pytest.param("fotage", "fotage: there is no such file or folder; did you mean footage?", id="near miss"),
        pytest.param("footage/x.mp4", "footage/x.mp4: there is no such file or folder", id="nothing near"),
        pytest.param(
            "fotage/sub/x.mp4",
            "fotage/sub/x.mp4: there is no such file or folder (there is no fotage); did you mean footage?",
            id="missing above",
        ),
        pytest.param("footage/*.mp5", "footage/*.mp5: matches nothing", id="glob"),
        pytest.param(
            "fotage/*.mp4",
            "fotage: there is no such file or folder; did you mean footage?",
            id="glob's folder",
        ),
        pytest.param("@none.txt", "none.txt: the list cannot be read: No such file or directory", id="list"),
        pytest.param("@list.txt", "list.txt, line 2: gone.mp4: there is no such file or folder", id="in a list"),
        pytest.param("", "an input is empty; give a path, a glob or a URL", id="empty"),
        pytest.param("http://127.0.0.1:9/a.mp4", "http://127.0.0.1:9/a.mp4: ", id="no server"),
    ],
)
def test_an_input_that_is_not_there_is_one_sentence(here: Path, given: str, sentence: str) -> None:
    _make("footage/a.mp4")
    Path("list.txt").write_text("footage\ngone.mp4\n")
    with pytest.raises(ConfigError) as raised:
        _uris(given)
    assert str(raised.value).startswith(sentence)
    assert "\n" not in str(raised.value)


def test_the_dataset_inside_the_footage_is_passed_over(here: Path) -> None:
    _make("in/a.mp4", "in/out/ds/previews/x.tar")
    assert [source.uri for source in list_sources(["in"], exclude=["in/out/ds", "in/nowhere"])] == ["in/a.mp4"]


def test_sidecars_go_with_their_file_and_know_it(here: Path) -> None:
    _make("in/film.mp4", "in/film.txt", "in/film.json", "in/film.mp4.json", "in/other.mp4", "in/notes.txt")
    found = {source.uri: source for source in list_sources(["in"])}
    assert found["in/film.mp4"].sidecars == ("in/film.mp4.json", "in/film.json", "in/film.txt")
    assert found["in/film.txt"].sidecar_of == "in/film.mp4"
    assert found["in/other.mp4"].sidecars == ()
    assert found["in/notes.txt"].sidecar_of is None
    before = found["in/film.mp4"].sidecar_stamp
    Path("in/film.txt").write_text("another caption")
    assert {source.uri: source for source in list_sources(["in"])}["in/film.mp4"].sidecar_stamp != before


def test_sidecars_are_found_and_listed_where_only_the_film_was_named(here: Path) -> None:
    _make("in/film.mp4", "in/film.txt", "in/else.txt")
    for given in ("in/film.mp4", "in/*.mp4"):
        assert {source.uri: source.sidecar_of for source in list_sources([given])} == {
            "in/film.mp4": None,
            "in/film.txt": "in/film.mp4",
        }


_KEYS = [
    "a.mp4",
    "sub/b.mp4",
    "sub/odd +%20#?name.mp4",
    "sub/日本.mp4",
    "sub/x/é .mp4",
    "sub//twice.mp4",
    "sub/x/c::d.mp4",
]


def test_a_prefix_gives_all_objects_below_it(s3) -> None:
    for key in [*_KEYS, "other/z.mp4", "sub-not/y.mp4"]:
        s3.put(f"films/{key}", key.encode())
    s3.client.put_object(Bucket=s3.bucket, Key="films/folder/", Body=b"")
    below = sorted(f"{s3.url}/films/{key}" for key in [*_KEYS, "other/z.mp4", "sub-not/y.mp4"])
    assert sorted(_uris(f"{s3.url}/films")) == sorted(_uris(f"{s3.url}/films/")) == below
    assert sorted(_uris(f"{s3.url}/films/sub")) == [uri for uri in below if "/films/sub/" in uri]
    assert sorted(_uris(s3.url)) == below


def test_every_object_that_was_listed_opens_by_its_uri(s3) -> None:
    from pipeline.storage import read_chunks

    for key in _KEYS:
        s3.put(f"films/{key}", key.encode())
    for source in list_sources([f"{s3.url}/films"]):
        data = b"".join(read_chunks(source.uri))
        assert source.uri == f"{s3.url}/films/{data.decode()}"
        assert source.num_bytes == len(data)


def test_an_object_is_known_by_length_and_etag(s3) -> None:
    url = s3.put("film.mp4", b"one")
    before = _only(url)
    s3.put("film.mp4", b"two")
    after = _only(url)
    assert before.stamp != after.stamp
    assert (after.num_bytes, after.etag) == (3, "b8a9f715dbb64fd5c56e7783c6820a61")
    assert after.modified_us is not None
    assert _only(f"{s3.url}/*.mp4") == after
    assert _only(s3.url) == after


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("*.mp4", ["a.mp4"]), ("**/*.mp4", ["a.mp4", "sub/b.mp4", "sub/x/c.mp4"]), ("s*/?.mp4", ["sub/b.mp4"])],
)
def test_globs_name_objects(s3, pattern: str, expected: list[str]) -> None:
    for key in ("a.mp4", "sub/b.mp4", "sub/x/c.mp4", "sub/n.md"):
        s3.put(f"films/{key}", b"x")
    assert _uris(f"{s3.url}/films/{pattern}") == [f"{s3.url}/films/{key}" for key in expected]


def test_objects_have_sidecars_too(s3) -> None:
    film, text = s3.put("films/a.mp4", b"x"), s3.put("films/a.txt", b"a caption")
    for given in (f"{s3.url}/films", f"{s3.url}/films/*.mp4", film):
        found = {source.uri: source for source in list_sources([given])}
        assert found[film].sidecars == (text,)
        assert found[text].sidecar_of == film


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("fims", "s3://{bucket}/fims: there is nothing; did you mean s3://{bucket}/films?"),
        ("films/*.mkv", "s3://{bucket}/films/*.mkv: matches nothing"),
    ],
)
def test_a_prefix_that_is_not_there_is_one_sentence(s3, path: str, sentence: str) -> None:
    s3.put("films/a.mp4", b"x")
    with pytest.raises(ConfigError) as raised:
        _uris(f"{s3.url}/{path}")
    assert str(raised.value) == sentence.format(bucket=s3.bucket)


def test_a_bucket_that_is_not_there_is_one_sentence(s3) -> None:
    with pytest.raises(ConfigError, match=r"^s3://no-such-bucket-here/films: "):
        _uris("s3://no-such-bucket-here/films")


def test_a_list_may_lie_on_an_object_store(s3, here: Path) -> None:
    _make("a.mp4")
    film = s3.put("b.mp4", b"x")
    assert _uris("@" + s3.put("list.txt", f"a.mp4\n{film}\n".encode())) == ["a.mp4", film]


def test_a_dataset_below_the_prefix_is_passed_over(s3) -> None:
    film = s3.put("films/a.mp4", b"x")
    s3.put("films/ds/previews/x.tar", b"x")
    assert [source.uri for source in list_sources([s3.url], exclude=[f"{s3.url}/films/ds"])] == [film]


def test_a_file_on_a_web_server_is_listed_with_its_length(web) -> None:
    url = web.put("film.mp4", b"12345")
    source = _only(f"{url}?token=1#x")
    assert (source.uri, source.num_bytes) == (f"{url}?token=1#x", 5)
    assert source.modified_us is not None


def test_memory_and_other_file_systems_are_listed_through_fsspec() -> None:
    import fsspec

    fs = fsspec.filesystem("memory")
    fs.pipe({"/films-in-memory/a.mp4": b"x", "/films-in-memory/sub/b.mp4": b"y"})
    expected = ["memory://films-in-memory/a.mp4", "memory://films-in-memory/sub/b.mp4"]
    assert _uris("memory://films-in-memory") == expected
    assert _uris("memory://films-in-memory/**/*.mp4") == expected
    fs.rm("/films-in-memory", recursive=True)
