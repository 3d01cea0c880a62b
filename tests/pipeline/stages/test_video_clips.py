from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.manifest import Manifest
from pipeline.stages.video_clips import VideoClips, input_digest, video_clips

PICTURES = frozenset({"pictures"})
EVERYTHING = frozenset({"pictures", "embedding", "text"})


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Twenty videos with none to three clips each; the last could not be scanned."""
    manifest = Manifest(str(tmp_path / "ds"))
    videos = [f"{k * 12:02x}{'0' * 30}" for k in range(20)]
    clips = [
        {"clip_id": f"{video[:2]}{c}", "video_id": video, "width": 640, "height": 360, "crop_x": c, "crop_y": 0,
         "crop_width": 600, "crop_height": 360}
        for k, video in enumerate(videos)
        for c in range(k % 4)
    ]  # fmt: skip
    manifest.append("videos", [{"video_id": video} for video in videos])
    manifest.append("clips", clips)
    manifest.append(
        "ledger", [unit("scan", video, "ok") for video in videos[:-1]] + [unit("scan", videos[-1], "error")]
    )
    return manifest


def unit(stage: str, video: str, outcome: str, key: str = "") -> dict[str, Any]:
    return {"stage": stage, "input_id": video, "outcome": outcome, "unit_key": key or f"{stage} of {video[:2]}"}


def test_every_scanned_video_comes_once_in_order_with_its_clips(manifest: Manifest) -> None:
    items = list(video_clips(manifest, PICTURES, 0.5))
    assert [item.video_id for item in items] == [f"{k * 12:02x}{'0' * 30}" for k in range(19)]
    assert [item.num_clips for item in items] == [k % 4 for k in range(19)]
    known = items[3].known()
    assert [clip.clip_id for clip in known] == ["240", "241", "242"]
    assert (known[2].shape.width, known[2].shape.crop_x, known[2].shape.crop_width) == (640, 2, 600)
    assert (known[0].embedding, known[0].text) == (None, None)


def test_shares_of_any_size_give_the_same(manifest: Manifest) -> None:
    whole = list(video_clips(manifest, EVERYTHING, 0.5))
    for clips_a_share in (1, 3, 7):
        assert list(video_clips(manifest, EVERYTHING, 0.5, clips_a_share=clips_a_share)) == whole


def test_an_input_survives_the_way_to_a_worker(manifest: Manifest) -> None:
    for item in video_clips(manifest, PICTURES, 0.5):
        assert VideoClips(**item.to_row()) == item  # type: ignore[arg-type]
        assert item.cost_s == pytest.approx(0.001 + 0.5 * item.num_clips)


def test_embeddings_and_captions_come_with_the_clips_that_have_them(manifest: Manifest) -> None:
    video = f"0c{'0' * 30}"
    vector = np.float16([0.1, 0.2, 0.97]).astype(np.float32)
    manifest.append("scores/embedding", [{"clip_id": "0c0", "video_id": video, "embedding": vector.tolist()}])
    captions = [("original", "b", "second"), ("original", "a", "first"), ("short", "a", "another kind")]
    names = ("kind", "caption_set", "text")
    rows = [{"clip_id": "0c0", "video_id": video, **dict(zip(names, one, strict=True))} for one in captions]
    manifest.append("captions", rows)
    item = next(one for one in video_clips(manifest, EVERYTHING, 0.5) if one.video_id == video)
    (clip,) = item.known()
    assert clip.text == "first"
    assert clip.embedding is not None
    assert clip.embedding.dtype == np.float32
    assert clip.embedding.tolist() == vector.tolist()
    plain = next(one for one in video_clips(manifest, PICTURES, 0.5) if one.video_id == video)
    assert plain.known()[0].embedding is None


def test_what_a_score_depends_on_is_in_the_digest_and_nothing_else(manifest: Manifest) -> None:
    def digests(needs: frozenset[str]) -> list[str]:
        return [item.upstream for item in video_clips(manifest, needs, 0.5)]

    pictures, everything = digests(PICTURES), digests(EVERYTHING)
    assert len(set(pictures)) == len(pictures)
    video = f"0c{'0' * 30}"
    manifest.append("ledger", [unit("embedding", video, "error")])
    assert digests(PICTURES) == pictures
    changed = [k for k, (old, new) in enumerate(zip(everything, digests(EVERYTHING), strict=True)) if old != new]
    assert changed == [1]
    manifest.replace("ledger", [unit("scan", video, "ok", key="another")], [video], among=("stage", "scan"))
    assert [old != new for old, new in zip(pictures, digests(PICTURES), strict=True)].index(True) == 1


def test_a_digest_tells_no_texts_from_no_need_of_texts() -> None:
    told = {
        input_digest("s"),
        input_digest("s", texts=[]),
        input_digest("s", texts=[None]),
        input_digest("s", texts=[""]),
    }
    assert len(told) == 4
    assert input_digest("s", embedding="e") != input_digest("s")


def test_an_empty_dataset_gives_nothing(tmp_path: Path) -> None:
    assert list(video_clips(Manifest(str(tmp_path / "none")), EVERYTHING, 0.5)) == []
