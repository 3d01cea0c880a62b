from __future__ import annotations

from pathlib import Path

from captioner.repeated import flag_repeated
from pipeline.manifest import Manifest


def rows(video: str, count: int, text: str, caption_set: str = "s") -> list[dict[str, object]]:
    shared = {"video_id": video, "caption_set": caption_set, "outcome": "success", "flags": []}
    return [
        {**shared, "clip_id": f"{video}-{k}", "kind": kind, "text": text.format(k=k)}
        for k in range(count)
        for kind in ("dense", "short")
    ]


def test_a_caption_of_too_many_clips_is_refused_on_all_of_them_in_its_set_alone(tmp_path: Path) -> None:
    manifest = Manifest(str(tmp_path / "ds"))
    manifest.append("captions", rows("a", 2, "A cat sits."))
    manifest.append("captions", rows("b", 1, "a  CAT sits. "))
    manifest.append("captions", rows("c", 5, "Another cat, number {k}."))
    manifest.append("captions", rows("a", 9, "A cat sits.", caption_set="other"))
    assert flag_repeated(manifest, "s", 3) == 0
    assert flag_repeated(manifest, "s", 2) == 3
    found = manifest.read("captions").to_pylist()
    refused = {(row["clip_id"], row["kind"]) for row in found if row["outcome"] == "refused"}
    assert refused == {(clip, kind) for clip in ("a-0", "a-1", "b-0") for kind in ("dense", "short")}
    assert {row["caption_set"] for row in found if row["outcome"] == "refused"} == {"s"}
    assert len(found) == 2 * (2 + 1 + 5 + 9)
    assert all(row["flags"] == ["repeated"] for row in found if row["outcome"] == "refused")
    assert flag_repeated(manifest, "s", 2) == 0
