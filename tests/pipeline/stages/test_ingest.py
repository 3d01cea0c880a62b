from __future__ import annotations

import copy
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from pipeline.executor import LocalExecutor
from pipeline.manifest import to_table
from pipeline.media import MediaLimits
from pipeline.stages.ingest import (
    IngestConfig,
    IngestFiles,
    IngestInput,
    list_inputs,
    load_input,
    looks_like_text,
)
from pipeline.worklist import Worklist
from schemas import ConfigError, Probe, content_id


def film(seed: int, *, frames: int = 5) -> bytes:
    """A small film of noise; the same seed gives the same bytes."""
    rng = np.random.default_rng(seed)
    file = io.BytesIO()
    with av.open(file, "w", format="matroska", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("mpeg4", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(frames):
            picture = av.VideoFrame.from_ndarray(rng.integers(0, 255, (48, 64, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return file.getvalue()


FILM, OTHER = film(1), film(2)

Ingest = Callable[..., dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def stage() -> Iterator[IngestFiles]:
    """The stage with its decoder's process, once for all tests of this file."""
    stage = IngestFiles(IngestConfig(), MediaLimits())
    stage.setup()
    yield stage
    stage.close()


@pytest.fixture
def ingest(stage: IngestFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ingest:
    """What the stage says of every path at the inputs, by uri; the working directory is new and empty."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def run(*inputs: str, **settings: Any) -> dict[str, dict[str, Any]]:
        config = IngestConfig(**settings)
        mine = copy.copy(stage)
        mine.config = config
        return rows_of(mine, list(list_inputs(config, inputs)))

    return run


def rows_of(stage: IngestFiles, items: Sequence[IngestInput]) -> dict[str, dict[str, Any]]:
    rows = {}
    results = list(stage([stage.load(item.to_row()) for item in items]))
    assert [result.input_id for result in results] == [item.input_id for item in items]
    for result in results:
        (row,) = to_table("files", result.rows["files"]).to_pylist()
        assert row["uri"] == result.input_id
        assert (result.error is not None) == (row["outcome"] == "error")
        assert (row["video_id"] is not None) == (row["probe"] is not None) == (row["outcome"] == "ok")
        assert (row["error"] is None) == (row["outcome"] == "ok")
        rows[row["uri"]] = row
    return rows


def _write(path: str, data: bytes | str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(data if isinstance(data, bytes) else data.encode())


def test_a_film_gives_its_content_id_and_its_probe(ingest: Ingest) -> None:
    _write("film.mkv", FILM)
    row = ingest("film.mkv")["film.mkv"]
    probe = Probe.from_json(json.loads(row["probe"]))
    assert row["video_id"] == content_id([FILM])
    assert row["num_bytes"] == len(FILM)
    assert (probe.width, probe.height, probe.codec, probe.is_image) == (64, 48, "mpeg4", False)
    assert row["modified_at"].timestamp() == pytest.approx(Path("film.mkv").stat().st_mtime, abs=1e-5)
    assert row["probe"] == json.dumps(probe.to_json(), sort_keys=True, separators=(",", ":"))


def test_copies_and_moved_files_keep_the_id_of_their_content(ingest: Ingest) -> None:
    _write("a/film.mkv", FILM)
    _write("b/copy.mp4", FILM)
    _write("b/other.mkv", OTHER)
    before = ingest(".")
    shutil.move("a/film.mkv", "b/moved \udce9.mkv")
    after = ingest(".")
    assert before["./a/film.mkv"]["video_id"] == before["./b/copy.mp4"]["video_id"]
    assert after[r"./b/moved \xe9.mkv"]["video_id"] == before["./a/film.mkv"]["video_id"]
    assert after["./b/other.mkv"]["video_id"] != after["./b/copy.mp4"]["video_id"]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".avif"])
def test_a_still_picture_is_a_video_of_one_frame(ingest: Ingest, suffix: str) -> None:
    shown = np.linspace(0, 255, 48 * 64 * 3).reshape(48, 64, 3).astype(np.uint8)
    _write(f"still{suffix}", cv2.imencode(suffix, shown)[1].tobytes())
    row = ingest(".")[f"./still{suffix}"]
    assert row["outcome"] == "ok", row["error"]
    probe = Probe.from_json(json.loads(row["probe"]))
    assert (probe.width, probe.height, probe.is_image) == (64, 48, True)


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        pytest.param("a.mp4", b"", "empty", id="no bytes"),
        pytest.param("a.mp4", "this is a note to self\n" * 40, "not_media", id="text"),
        pytest.param("a.mp4", b"\0" * 100_000, "not_media", id="zeros"),
        pytest.param("a.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfilm.mkv\n", "playlist", id="playlist"),
        pytest.param("a.m3u8", "#EXTM3U\n#EXTINF:4,\nfilm.mkv\n", "playlist", id="playlist by name"),
        pytest.param("a.jpg", b"\xff\xd8\xff\xe0cut off", "not_media corrupt", id="cut picture"),
    ],
)
def test_what_claims_to_be_media_and_is_none_is_an_error(
    ingest: Ingest, name: str, data: bytes | str, kind: str
) -> None:
    _write("film.mkv", FILM)
    _write(name, data)
    row = ingest(name)[name]
    assert row["outcome"] == "error"
    assert row["error_kind"] in kind.split()


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        pytest.param(".DS_Store", b"\0\0", "a hidden file", id="hidden"),
        pytest.param("._film.mp4", FILM, "a hidden file", id="a side file of macOS"),
        pytest.param("Thumbs.db", b"\xd0\xcf", "left there by a file manager", id="debris"),
        pytest.param("notes.TXT", "words", "a text or a table, by its name", id="text"),
        pytest.param("film.txt", FILM, "a text or a table, by its name", id="a film under a text's name"),
        pytest.param("film.mp4.part", FILM, "an unfinished download, by its name", id="partial"),
        pytest.param("LICENSE", "words", "a text, by its first bytes", id="text without a suffix"),
        pytest.param("types.ts", "export const a: string = 'é';\n", "a text, by its first bytes", id="TypeScript"),
        pytest.param("model.weights", b"\0\1\2" * 1000, "no media: ", id="bytes of no known kind"),
        pytest.param("nothing", b"", "no media: holds no bytes", id="no bytes and no claim"),
    ],
)
def test_what_is_plainly_no_media_is_ignored_with_a_reason(
    ingest: Ingest, name: str, data: bytes | str, reason: str
) -> None:
    _write(name, data)
    row = ingest(".")[f"./{name}"]
    assert (row["outcome"], row["error_kind"]) == ("ignored", None)
    assert row["error"].startswith(reason)


@pytest.mark.parametrize("name", ["film", "film.mp4.1", "trailing.dot.", "film.unknown", "FILM.MP4"])
def test_media_under_a_name_that_says_nothing_is_found(ingest: Ingest, name: str) -> None:
    _write(name, FILM)
    assert ingest(".")[f"./{name}"]["video_id"] == content_id([FILM])


def test_what_is_no_file_has_a_row_and_is_never_opened(ingest: Ingest) -> None:
    os.mkfifo("fifo.mp4")
    Path("dangling.mp4").symlink_to("nowhere")
    Path("zero.mp4").symlink_to("/dev/zero")
    Path("self.mp4").symlink_to("self.mp4")
    Path("up").symlink_to("..")
    rows = ingest(".")
    assert {uri: (row["outcome"], row["error_kind"]) for uri, row in rows.items()} == {
        "./dangling.mp4": ("error", "not_a_file"),
        "./fifo.mp4": ("error", "not_a_file"),
        "./self.mp4": ("error", "not_a_file"),
        "./up": ("ignored", None),
        "./zero.mp4": ("error", "not_a_file"),
    }
    assert rows["./fifo.mp4"]["error"] == "is a FIFO, which is never opened"


def test_a_file_that_became_another_since_the_listing_has_changed(stage: IngestFiles, ingest: Ingest) -> None:
    _write("a.mkv", FILM)
    _write("b.mkv", FILM)
    _write("c.mkv", FILM)
    _write("d.mkv", FILM)
    items = list(list_inputs(IngestConfig(), ["."]))
    Path("a.mkv").write_bytes(OTHER + b"more")
    os.utime("b.mkv", (1, 1))
    Path("c.mkv").unlink()
    Path("d.mkv").unlink()
    os.mkfifo("d.mkv")
    kinds = {uri: row["error_kind"] for uri, row in rows_of(stage, items).items()}
    assert kinds == {"./a.mkv": "changed", "./b.mkv": "changed", "./c.mkv": "io", "./d.mkv": "not_a_file"}


def test_what_people_wrote_goes_with_the_film_tables_before_json_before_text(ingest: Ingest) -> None:
    _write("in/film.mkv", FILM)
    _write("in/film.txt", "from text")
    _write("in/film.json", json.dumps({"caption": "from json", "license": "CC0", "title": "json's"}))
    _write("in/plain.mkv", OTHER)
    _write("in/plain.txt", "a plain film")
    _write("meta.csv", "path,title,source_url\nin/film.mkv,the table's,https://x\n")
    rows = ingest("in", metadata="meta.csv")
    said = ("caption", "license", "title", "source_url")
    assert [rows["in/film.mkv"][name] for name in said] == ["from json", "CC0", "the table's", "https://x"]
    assert [rows["in/plain.mkv"][name] for name in said] == ["a plain film", None, None, None]
    assert rows["in/film.txt"]["error"] == "goes with in/film.mkv"
    without = ingest("in", sidecars=False)
    assert without["in/film.mkv"]["caption"] is None


def test_a_broken_sidecar_says_so_in_its_own_row_and_the_film_is_none_the_worse(ingest: Ingest) -> None:
    _write("film.mkv", FILM)
    _write("film.json", "[" * 100_000)
    _write("film.txt", "a caption")
    rows = ingest(".")
    assert (rows["./film.mkv"]["outcome"], rows["./film.mkv"]["caption"]) == ("ok", "a caption")
    assert rows["./film.json"]["outcome"] == "ignored"
    assert rows["./film.json"]["error"] == "goes with ./film.mkv, and cannot be used: is nested too deeply"


def test_a_changed_word_about_one_film_changes_the_fingerprint_of_that_film_alone(ingest: Ingest) -> None:
    for name in ("a", "b", "c"):
        _write(f"in/{name}.mkv", FILM)
    _write("in/b.txt", "one")
    _write("meta.csv", "path,title\nin/c.mkv,one\n")
    config = IngestConfig(metadata=("meta.csv",))

    def fingerprints() -> dict[str, str]:
        return {item.input_id: item.fingerprint for item in list_inputs(config, ["in"])}

    before = fingerprints()
    assert fingerprints() == before
    assert len(set(before.values())) == 4
    _write("in/b.txt", "another")
    changed = {uri for uri, value in fingerprints().items() if value != before[uri]}
    assert changed == {"in/b.mkv", "in/b.txt"}
    _write("meta.csv", "path,title\nin/c.mkv,another\n")
    changed = {uri for uri, value in fingerprints().items() if value != before[uri]}
    assert changed == {"in/b.mkv", "in/b.txt", "in/c.mkv"}


def test_a_row_on_its_way_to_a_worker_comes_back_as_the_same_input(ingest: Ingest) -> None:
    _write("in/caf\udce9.mkv", FILM)
    _write("in/caf\udce9.txt", "words")
    Path("in/loop").symlink_to(".")
    for item in list_inputs(IngestConfig(), ["in"]):
        row = item.to_row()
        assert all(value is None or isinstance(value, str | int) for value in row.values())
        assert load_input(json.loads(json.dumps(row))) == item


def test_objects_give_the_same_rows_as_files(s3, ingest: Ingest, tmp_path: Path) -> None:
    names = {
        "film.mkv": FILM,
        "sub/copy +%20#?日本.mp4": FILM,
        "sub/film.txt": b"a text",
        "note.mp4": b"a note",
        "none.mp4": b"",
        "film.txt": b"a caption",
        "README": b"words",
    }
    for name, data in names.items():
        _write(f"in/{name}", data)
        s3.put(f"in/{name}", data)
    local = ingest("in")
    remote = ingest(f"{s3.url}/in", temp_dir=str(tmp_path))
    for name in names:
        there, here = dict(remote[f"{s3.url}/in/{name}"]), dict(local[f"in/{name}"])
        assert there.pop("etag")
        assert there.pop("modified_at")
        for differs in ("uri", "etag", "modified_at"):
            there.pop(differs, None)
            here.pop(differs, None)
        assert {k: v for k, v in there.items() if k != "error"} == {k: v for k, v in here.items() if k != "error"}
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_an_object_that_was_replaced_or_removed_since_the_listing_is_tried_again(s3, stage: IngestFiles) -> None:
    replaced, removed = s3.put("a.mkv", FILM), s3.put("b.mkv", FILM)
    items = list(list_inputs(IngestConfig(), [s3.url]))
    s3.put("a.mkv", OTHER + b"more")
    s3.client.delete_object(Bucket=s3.bucket, Key="b.mkv")
    rows = rows_of(stage, items)
    assert (rows[replaced]["error_kind"], rows[removed]["error_kind"]) == ("changed", "io")


def test_a_remote_file_longer_than_the_limit_is_refused(s3, ingest: Ingest) -> None:
    url = s3.put("film.mkv", FILM)
    row = ingest(url, max_remote_gib=(len(FILM) - 1) / 2**30)[url]
    assert (row["outcome"], row["error_kind"]) == ("error", "too_large")


def test_a_film_on_a_web_server_is_read(web, ingest: Ingest) -> None:
    url = web.put("film.mkv", FILM)
    assert ingest(url)[url]["video_id"] == content_id([FILM])


def test_workers_of_the_local_executor_give_one_row_a_path(ingest: Ingest) -> None:
    for k in range(20):
        _write(f"in/{k}.mkv", FILM if k % 2 else OTHER)
    _write("in/note.txt", "words")
    items = list(list_inputs(IngestConfig(), ["in"]))
    results = list(LocalExecutor(cpus=2).run(IngestFiles(IngestConfig(), MediaLimits()), Worklist.of(items)))
    rows = {row["uri"]: row.get("video_id") for result in results for row in result.rows["files"]}
    assert len(results) == len(rows) == 21
    assert set(rows.values()) == {content_id([FILM]), content_id([OTHER]), None}


def test_every_real_film_is_probed_and_every_other_file_ignored(stage: IngestFiles, shared_footage: Path) -> None:
    rows = rows_of(stage, list(list_inputs(IngestConfig(), [str(shared_footage)])))
    films = {uri for uri, row in rows.items() if row["outcome"] == "ok"}
    assert films
    assert {Path(uri).suffix for uri in rows.keys() - films} == {".json", ".md", ".py", ".tsv"}
    assert all(row["outcome"] == "ignored" for uri, row in rows.items() if uri not in films)


def test_a_table_that_is_not_there_stops_the_run_before_it_starts(ingest: Ingest) -> None:
    _write("film.mkv", FILM)
    with pytest.raises(ConfigError, match=r"^ingest.metadata: none.csv: "):
        ingest("film.mkv", metadata="none.csv")


@pytest.mark.parametrize(
    ("head", "text"),
    [
        (b"words\r\n\twith tabs", True),
        ("é".encode()[:1], True),
        (b"", True),
        (b"words \0", False),
        (b"\x47\x40\x00\x10", False),
        (b"caf\xe9 words", False),
    ],
)
def test_a_text_is_known_by_its_first_bytes(head: bytes, *, text: bool) -> None:
    assert looks_like_text(head) is text
