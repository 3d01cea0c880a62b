from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from pipeline.manifest import Manifest
from pipeline.originals import original_captions, settle_originals

CLIPS = pa.table({"clip_id": ["c1", "c2", "c3"], "video_id": ["v1", "v1", "v2"]})


def texts(captions: pa.Table) -> dict[str, str]:
    return dict(zip(captions["clip_id"].to_pylist(), captions["text"].to_pylist(), strict=True))


def test_each_clip_of_a_captioned_video_gets_its_caption() -> None:
    files = pa.table({"uri": ["b", "a"], "video_id": ["v1", "v1"], "caption": ["later", "first"]})
    assert texts(original_captions(files, CLIPS)) == {"c1": "first", "c2": "first"}


def test_a_corrected_caption_replaces_the_old_one_and_leaves_other_kinds_alone(tmp_path: Path) -> None:
    manifest = Manifest(str(tmp_path))
    manifest.append("clips", CLIPS)
    manifest.append("captions", [{"clip_id": "c1", "kind": "dense", "caption_set": "x", "text": "by a model"}])
    for caption in ("a dog", "a cat"):
        manifest.replace("files", [{"uri": "f", "video_id": "v2", "caption": caption}], ["f"])
        settle_originals(manifest)
    captions = manifest.read("captions")
    assert sorted(zip(captions["clip_id"].to_pylist(), captions["text"].to_pylist(), strict=True)) == [
        ("c1", "by a model"),
        ("c3", "a cat"),
    ]


def test_settling_twice_commits_once(tmp_path: Path) -> None:
    manifest = Manifest(str(tmp_path))
    manifest.append("clips", CLIPS)
    manifest.append("files", [{"uri": "f", "video_id": "v2", "caption": "a cat"}])
    settle_originals(manifest)
    log = list((tmp_path / "manifest" / "captions" / "_delta_log").iterdir())
    settle_originals(manifest)
    assert list((tmp_path / "manifest" / "captions" / "_delta_log").iterdir()) == log
