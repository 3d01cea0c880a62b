from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.scorers.embedding import Embedding, EmbeddingConfig, missing, pool
from pipeline.scorers.scorer import ClipView, Scorer
from schemas import ConfigError


@pytest.fixture(scope="module")
def scorer(tiny_clip: Path) -> Embedding:
    scorer = Embedding(EmbeddingConfig(weights=str(tiny_clip)))
    scorer.setup()
    return scorer


def _view(seed: int, num: int = 3) -> ClipView:
    rng = np.random.default_rng(seed)
    pictures = [rng.integers(0, 256, (48, 64 + seed, 3), dtype=np.uint8) for _ in range(num)]
    return ClipView(clip_id=f"c{seed}", pictures=pictures)


def test_an_embedding_has_unit_length_and_values_of_float16(scorer: Scorer) -> None:
    (row,) = scorer.score([_view(0)])
    embedding = row["embedding"]
    assert isinstance(embedding, np.ndarray)
    assert embedding.dtype == np.float32
    assert embedding.shape == (24,)
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-3)
    assert np.array_equal(embedding, embedding.astype(np.float16))


def test_a_clip_without_pictures_gets_null_and_its_neighbours_their_own(scorer: Scorer) -> None:
    views = [_view(0), ClipView(clip_id="none"), _view(1, num=1), ClipView(clip_id="none too")]
    rows = scorer.score(views)
    assert [row["embedding"] is None for row in rows] == [False, True, False, True]
    for view, row in zip(views, rows, strict=True):
        if view.pictures:
            assert np.allclose(row["embedding"], scorer.score([view])[0]["embedding"], atol=1e-3)


def test_the_same_clips_give_the_same_rows(scorer: Scorer, tiny_clip: Path) -> None:
    again = Embedding(EmbeddingConfig(weights=str(tiny_clip)))
    again.setup()
    views = [_view(seed) for seed in range(4)]
    for one, other in zip(scorer.score(views), again.score(views), strict=True):
        assert np.array_equal(one["embedding"], other["embedding"])


def test_no_clips_give_no_rows(scorer: Scorer) -> None:
    assert list(scorer.score([])) == []


def test_pictures_that_cancel_out_give_null() -> None:
    row = np.array([1, 0], np.float32)
    assert pool([row, -row]) is None
    assert pool([]) is None


def test_what_is_missing_is_named() -> None:
    assert missing(EmbeddingConfig()) == "needs embedding.weights"
    assert missing(EmbeddingConfig(weights="x.pt")) == ""


def test_weights_that_are_not_there_are_told_before_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"embedding.weights: there is no file .*gone.safetensors"):
        Embedding(EmbeddingConfig(weights=str(tmp_path / "gone.safetensors"))).models()


def test_batches_and_devices_make_no_work_stale(tiny_clip: Path) -> None:
    plain = EmbeddingConfig(weights=str(tiny_clip))
    assert EmbeddingConfig(weights=str(tiny_clip), gpus=0.5, batch_clips=2).output_digest() == plain.output_digest()
    assert EmbeddingConfig(weights=str(tiny_clip), resize="squash").output_digest() != plain.output_digest()


def test_planning_imports_no_torch() -> None:
    code = (
        "import sys, pipeline.clip.train, pipeline.scorers.config; print({'torch', 'open_clip'} & sys.modules.keys())"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
