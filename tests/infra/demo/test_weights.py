"""The shipped CLIP on scenes that its training never saw."""

from __future__ import annotations

import numpy as np
import pytest

from infra.demo.captioned import draw_captioned
from infra.demo.render import render_shot
from infra.demo.weights import CLIP_WEIGHTS
from pipeline.clip.evaluate import compare
from pipeline.scorers.alignment import Alignment, AlignmentConfig
from pipeline.scorers.embedding import Embedding, EmbeddingConfig
from pipeline.scorers.scorer import ClipView

CONFIG = EmbeddingConfig(weights=str(CLIP_WEIGHTS))
SEEDS = range(7_000_000, 7_000_048)


@pytest.fixture(scope="module")
def views() -> list[ClipView]:
    """Scenes with their embeddings and captions."""
    scorer = Embedding(CONFIG)
    scorer.setup()
    views = []
    for seed in SEEDS:
        scene, size, text = draw_captioned(seed)
        pictures = list(render_shot(scene, size, [0.1, 1.0, 1.9]))
        (row,) = scorer.score([ClipView(clip_id=str(seed), pictures=pictures)])
        embedding = row["embedding"]
        assert isinstance(embedding, np.ndarray)
        views.append(ClipView(clip_id=str(seed), pictures=pictures, embedding=embedding, text=text))
    return views


def test_the_shipped_weights_are_small() -> None:
    folder = CLIP_WEIGHTS.parent
    assert sum(path.stat().st_size for path in folder.iterdir()) < 4.2 * 2**20
    assert (folder / "README.md").is_file()


def test_true_captions_align_better_than_shuffled_ones(views: list[ClipView]) -> None:
    scorer = Alignment(AlignmentConfig(), CONFIG)
    scorer.setup()
    shuffled = [
        ClipView(clip_id=view.clip_id, embedding=view.embedding, text=other.text)
        for view, other in zip(views, views[1:] + views[:1], strict=True)
    ]
    true, false = ([row["alignment"] for row in scorer.score(kind)] for kind in (views, shuffled))
    assert np.mean(true) > np.mean(false) + 0.2
    assert np.mean([one > other for one in true for other in false]) > 0.85


def test_two_moments_of_a_scene_are_nearer_than_two_scenes(views: list[ClipView]) -> None:
    scorer = Embedding(CONFIG)
    scorer.setup()
    halves = [
        np.stack(
            [row["embedding"] for row in scorer.score([ClipView(clip_id="", pictures=[v.pictures[k]]) for v in views])]
        )
        for k in (0, 2)
    ]
    found = compare(halves[0], halves[1])
    assert found.auc > 0.95
    assert found.text_to_clip_r1 > 0.5
