from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import infra.demo
from infra.caption_check import check_captions, complaint
from pipeline.clip import find_clip, load_clip
from pipeline.manifest import Manifest
from pipeline.scorers.embedding import EmbeddingConfig

CLIP = EmbeddingConfig(weights=str(Path(infra.demo.__file__).parent / "weights" / "clip" / "weights.safetensors"))
TEXTS = [
    f"A {size} {color} {shape}."
    for size in ("small", "large")
    for color in ("red", "blue")
    for shape in ("star", "circle", "arrow")
]


def captioned(root: Path, shift: int) -> Manifest:
    """A dataset whose captions lie so many clips beside their own."""
    vectors = load_clip(find_clip(CLIP)).encode_texts(TEXTS)
    manifest = Manifest(str(root))
    ids = [f"{k:02}" for k in range(len(TEXTS))]
    manifest.append(
        "scores/embedding",
        [{"clip_id": i, "video_id": i, "embedding": np.float32(v).tolist()} for i, v in zip(ids, vectors, strict=True)],
    )
    shared = {"caption_set": "s", "kind": "short", "outcome": "success"}
    texts = TEXTS[shift:] + TEXTS[:shift]
    manifest.append(
        "captions", [{"clip_id": i, "video_id": i, "text": t, **shared} for i, t in zip(ids, texts, strict=True)]
    )
    return manifest


def test_captions_on_their_own_clips_are_told_from_those_on_others(tmp_path: Path) -> None:
    found = check_captions(captioned(tmp_path / "own", 0), "s", CLIP)
    assert found is not None
    assert (found.verdict, found.num_clips, complaint(found)) == ("aligned", len(TEXTS), None)
    wrong = check_captions(captioned(tmp_path / "others", 5), "s", CLIP)
    assert "captions may not be on their own clips" in (complaint(wrong) or "")


@pytest.mark.parametrize("caption_set", ["s", "another"])
def test_without_a_model_or_captions_nothing_is_told(tmp_path: Path, caption_set: str) -> None:
    manifest = captioned(tmp_path, 5)
    assert check_captions(manifest, "s", EmbeddingConfig()) is None
    if caption_set == "another":
        assert complaint(check_captions(manifest, caption_set, CLIP)) is None
