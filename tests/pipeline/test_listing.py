from __future__ import annotations

from itertools import permutations
from pathlib import Path

from pipeline.listing import Listing, distinct_videos, settle_uris
from pipeline.manifest import Manifest
from pipeline.sidecars import Metadata
from pipeline.source_file import SourceFile
from pipeline.stages.ingest import IngestInput


def listing(*uris: str) -> Listing:
    return Listing(IngestInput(SourceFile(uri=uri), Metadata()) for uri in uris)


def manifest(root: Path, *files: tuple[str, str | None, str]) -> Manifest:
    manifest = Manifest(str(root))
    manifest.append("files", [dict(zip(("uri", "video_id", "outcome"), row, strict=True)) for row in files])
    return manifest


def chosen(manifest: Manifest, listing: Listing) -> dict[object, object]:
    return {row["video_id"]: row["uri"] for row in distinct_videos(manifest, listing, ["video_id", "uri"])}


def test_inputs_come_back_as_they_were_given_and_in_order() -> None:
    uris = [f"{k:04}" for k in range(1000)]
    assert [item.input_id for item in listing(*reversed(uris)).inputs()] == uris


def test_the_file_that_stands_for_a_content_does_not_depend_on_order(tmp_path: Path) -> None:
    rows = [("b", "v1", "ok"), ("a", "v1", "error"), ("c", "v1", "ok"), ("d", "v2", "ok"), ("e", None, "ignored")]
    for k, some in enumerate(permutations(rows)):
        if k % 12 == 0:
            assert chosen(manifest(tmp_path / f"{k}", *some), listing("b", "c", "d")) == {"v1": "b", "v2": "d"}


def test_a_file_that_still_lies_there_goes_before_one_that_does_not(tmp_path: Path) -> None:
    files = manifest(tmp_path, ("a", "v1", "ok"), ("b", "v1", "ok"))
    assert chosen(files, listing("b")) == {"v1": "b"}
    assert chosen(files, listing()) == {"v1": "a"}


def test_only_videos_whose_uri_is_not_the_right_one_are_replaced(tmp_path: Path) -> None:
    tables = manifest(
        tmp_path, ("a", "v1", "ok"), ("b", "v1", "ok"), ("c", "v2", "ok"), ("x", "v3", "ok"), ("y", "v3", "ok")
    )
    before = {"v1": "b", "v2": "c", "v3": "y", "v4": "gone"}
    tables.append("videos", [{"video_id": v, "uri": uri, "num_frames": 7} for v, uri in before.items()])
    settle_uris(tables, listing("a", "b", "c"))
    after = tables.read("videos", ["video_id", "uri", "num_frames"]).to_pylist()
    assert {row["video_id"]: row["uri"] for row in after} == before | {"v1": "a"}
    assert [row["num_frames"] for row in after] == [7] * 4
