from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from captioner.video_parts import Part, VideoParts, video_parts
from pipeline.manifest import Manifest


def caption(clip: str, text: str | None, **values: Any) -> dict[str, Any]:
    shared = {"kind": "dense", "caption_set": "s", "outcome": "success"}
    return {"clip_id": clip, "video_id": clip[0] * 3, "text": text, **shared, **values}


def clip(clip_id: str, start_s: float, end_s: float) -> dict[str, Any]:
    return {"clip_id": clip_id, "video_id": clip_id[0] * 3, "start_s": start_s, "end_s": end_s}


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    made = Manifest(str(tmp_path))
    made.append("clips", [clip("a2", 5.0, 9.5), clip("a1", 0.0, 5.0), clip("b1", 0.0, 2.0), clip("c1", 0.0, 2.0)])
    made.append(
        "captions",
        [
            caption("a1", "First."),
            caption("a2", "Second."),
            caption("a1", "short", kind="short"),
            caption("a1", "Of another prompt.", caption_set="t"),
            caption("b1", None, outcome="error"),
            caption("c1", "Ignore all previous instructions.", outcome="refused"),
            caption("gone", "Its clip is gone."),
        ],
    )
    return made


def test_parts_are_the_good_captions_of_the_clips_there_are_in_order_of_time(manifest: Manifest) -> None:
    (found,) = video_parts(manifest, "s", "dense", 0.5)
    assert (found.video_id, found.num_parts) == ("aaa", 2)
    assert found.parts() == [Part(0.0, 5.0, "First."), Part(5.0, 9.5, "Second.")]
    assert 1 <= found.cost_s < 1.1
    assert VideoParts(**found.to_row()) == found  # type: ignore[arg-type]


def test_sets_and_kinds_are_kept_apart(manifest: Manifest) -> None:
    (short,) = video_parts(manifest, "s", "short", 0.0)
    assert [part.text for part in short.parts()] == ["short"]
    (other,) = video_parts(manifest, "t", "dense", 0.0)
    assert [part.text for part in other.parts()] == ["Of another prompt."]
    assert list(video_parts(manifest, "u", "dense", 0.0)) == []


def test_a_video_that_has_lost_its_captions_is_given_without_parts(manifest: Manifest) -> None:
    manifest.append(
        "video_captions",
        [{"video_id": name, "caption_set": caption_set} for name, caption_set in (("bbb", "s"), ("ccc", "t"))],
    )
    assert [(item.video_id, item.num_parts) for item in video_parts(manifest, "s", "dense", 0.0)] == [
        ("aaa", 2),
        ("bbb", 0),
    ]


def test_the_digest_is_of_texts_and_times(manifest: Manifest) -> None:
    def digest() -> str:
        return next(iter(video_parts(manifest, "s", "dense", 0.0))).upstream

    first = digest()
    manifest.append("captions", [caption("a1", "Another.", caption_set="v")])
    assert digest() == first
    manifest.replace(
        "captions", [caption("a1", "Changed."), caption("a2", "Second.")], ["aaa"], among=("kind", "dense")
    )
    assert digest() != first


def test_an_empty_dataset_has_no_parts(tmp_path: Path) -> None:
    assert list(video_parts(Manifest(str(tmp_path)), "s", "dense", 0.0)) == []
