from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.scorers.embedding import EmbeddingConfig
from pipeline.scorers.safety import NudeNet, Safety, SafetyConfig, missing
from pipeline.scorers.scorer import ClipView
from schemas import ConfigError, MediaError

WIDTH = 24


@pytest.fixture
def blocklist(tmp_path: Path) -> Path:
    np.save(tmp_path / "blocked.npy", 3 * np.eye(4, WIDTH, dtype=np.float32))
    return tmp_path / "blocked.npy"


def _safety(tiny_clip: Path, **values: object) -> Safety:
    return Safety(SafetyConfig(**values), EmbeddingConfig(weights=str(tiny_clip)))


def test_the_similarity_is_the_highest_cosine(tiny_clip: Path, blocklist: Path) -> None:
    scorer = _safety(tiny_clip, blocklist=str(blocklist))
    assert scorer.needs == {"embedding"}
    assert scorer.models().keys() == {"blocklist"}
    scorer.setup()
    half = np.zeros(WIDTH, np.float32)
    half[[1, 9]] = 0.5
    rows = scorer.score(
        [ClipView(clip_id="a", embedding=half), ClipView(clip_id="b", embedding=-half), ClipView(clip_id="c")]
    )
    assert rows[0]["blocklist_similarity"] == pytest.approx(0.5**0.5, abs=1e-6)
    assert rows[1]["blocklist_similarity"] == 0
    assert rows[2]["blocklist_similarity"] is None
    assert all(row["nudity_score"] is None for row in rows)


def test_an_embedding_without_a_direction_gets_null(tiny_clip: Path, blocklist: Path) -> None:
    scorer = _safety(tiny_clip, blocklist=str(blocklist))
    scorer.setup()
    (row,) = scorer.score([ClipView(clip_id="c", embedding=np.zeros(WIDTH, np.float32))])
    assert row["blocklist_similarity"] is None


def test_widths_that_do_not_fit_are_named(tiny_clip: Path, tmp_path: Path, blocklist: Path) -> None:
    np.save(tmp_path / "wide.npy", np.eye(4, 768, dtype=np.float32))
    with pytest.raises(
        ConfigError, match=r"wide.npy holds embeddings of 768 numbers, those of embedding.weights have 24"
    ):
        _safety(tiny_clip, blocklist=str(tmp_path / "wide.npy")).models()
    scorer = _safety(tiny_clip, blocklist=str(blocklist))
    scorer.setup()
    with pytest.raises(MediaError, match="the embedding has 8 numbers, those of the blocklist 24"):
        scorer.score([ClipView(clip_id="c", embedding=np.ones(8, np.float32))])


def test_a_row_of_zeros_in_a_blocklist_is_refused(tiny_clip: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "zeros.npy", np.zeros((2, WIDTH), np.float32))
    with pytest.raises(ConfigError, match=r"zeros.npy has a row of zeros"):
        _safety(tiny_clip, blocklist=str(tmp_path / "zeros.npy")).setup()


def test_what_is_missing_is_named() -> None:
    assert missing(SafetyConfig(), EmbeddingConfig(weights="w.pt")) == "needs safety.nudity or safety.blocklist"
    assert missing(SafetyConfig(blocklist="b.npy"), EmbeddingConfig()) == "needs embedding.weights for safety.blocklist"
    assert missing(SafetyConfig(nudity="nudenet"), EmbeddingConfig()) == ""


def test_nudenet_is_not_imported_unless_it_is_asked_for(tiny_clip: Path, blocklist: Path) -> None:
    before = "nudenet" in sys.modules
    scorer = _safety(tiny_clip, blocklist=str(blocklist))
    scorer.models()
    scorer.setup()
    assert ("nudenet" in sys.modules) == before


def test_nudenet_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch, tiny_clip: Path) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "path_importer_cache", {})
    monkeypatch.delitem(sys.modules, "nudenet", raising=False)
    with pytest.raises(ConfigError, match=r"safety.nudity: nudenet is not installed: pip install 'rushes\[nudenet\]'"):
        _safety(tiny_clip, nudity="nudenet").models()


def test_nudenet_finds_nothing_in_the_miniature_world_and_agrees_with_itself_on_files(
    tiny_clip: Path, tmp_path: Path
) -> None:
    pytest.importorskip("nudenet")
    scorer = _safety(tiny_clip, nudity="nudenet")
    assert scorer.needs == {"pictures"}
    assert scorer.models().keys() == {"nudenet"}
    scorer.setup()
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (90, 160, 3), dtype=np.uint8), np.full((160, 90, 3), 90, np.uint8)]
    views = [
        ClipView(clip_id="a", pictures=pictures),
        ClipView(clip_id="b"),
        ClipView(clip_id="c", pictures=pictures[:1]),
    ]
    assert [row["nudity_score"] for row in scorer.score(views)] == [0.0, None, 0.0]

    from nudenet import NudeDetector

    for number, picture in enumerate(pictures):
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture[..., ::-1])
    found = NudeDetector().detect_batch([str(tmp_path / f"{number}.png") for number in range(2)])
    worst = [max((part["score"] for part in parts if part["class"] in NudeNet.exposed), default=0.0) for parts in found]
    assert list(NudeNet()(pictures)) == worst
