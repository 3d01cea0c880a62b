from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.clip import find_clip, load_clip
from pipeline.scorers.alignment import Alignment, AlignmentConfig, missing
from pipeline.scorers.embedding import EmbeddingConfig
from pipeline.scorers.scorer import ClipView
from schemas import MediaError


@pytest.fixture(scope="module")
def scorer(tiny_clip: Path) -> Alignment:
    scorer = Alignment(AlignmentConfig(), EmbeddingConfig(weights=str(tiny_clip)))
    scorer.setup()
    return scorer


def test_the_score_is_the_cosine_of_caption_and_clip(scorer: Alignment, tiny_clip: Path) -> None:
    text = load_clip(find_clip(EmbeddingConfig(weights=str(tiny_clip)))).encode_texts(["a red circle"])[0]
    views = [ClipView(clip_id="c", embedding=sign * text, text="a red circle") for sign in (1, -1)]
    assert [row["alignment"] for row in scorer.score(views)] == pytest.approx([1, -1], abs=1e-6)


@pytest.mark.parametrize("text", [None, "", "  \n"])
def test_a_clip_without_a_caption_gets_null(scorer: Alignment, text: str | None) -> None:
    embedding = np.eye(1, 24, dtype=np.float32)[0]
    rows = scorer.score([ClipView(clip_id="a", embedding=embedding, text=text), ClipView(clip_id="b", text="a circle")])
    assert [row["alignment"] for row in rows] == [None, None]


def test_captions_stay_with_their_clips(scorer: Alignment) -> None:
    rng = np.random.default_rng(0)
    texts = ["a red circle", None, "two objects over a tiled floor", "", "left"]
    views = [
        ClipView(clip_id=str(k), embedding=rng.standard_normal(24).astype(np.float32), text=text)
        for k, text in enumerate(texts)
    ]
    alone = [scorer.score([view])[0]["alignment"] for view in views]
    assert [row["alignment"] for row in scorer.score(views)] == pytest.approx(alone, abs=1e-5, nan_ok=False)


def test_an_embedding_of_another_width_is_refused_with_both_numbers(scorer: Alignment) -> None:
    with pytest.raises(MediaError, match="the embedding has 8 numbers, the model of alignment gives 24"):
        scorer.score([ClipView(clip_id="c", embedding=np.ones(8, np.float32), text="a circle")])


def test_the_digest_is_that_of_the_model(scorer: Alignment, tiny_clip: Path) -> None:
    assert scorer.models() == {"embedding": find_clip(EmbeddingConfig(weights=str(tiny_clip))).digest}


def test_what_is_missing_is_named() -> None:
    assert missing(EmbeddingConfig()) == "needs embedding.weights"
    assert missing(EmbeddingConfig(weights="w.pt")) == ""
