from __future__ import annotations

import numpy as np
import pytest

from pipeline.clip.evaluate import area_under_curve, compare, evaluate
from pipeline.clip.model import ClipModel, unit_rows
from schemas import ConfigError


def test_perfect_embeddings_find_every_pair() -> None:
    found = compare(np.eye(5, dtype=np.float32), np.eye(5, dtype=np.float32))
    assert (found.text_to_clip_r1, found.clip_to_text_r1, found.auc) == (1, 1, 1)
    assert (found.mean_true, found.mean_false) == (1, 0)


def test_a_model_that_gives_one_answer_finds_nothing() -> None:
    rows = np.tile(np.array([1, 0], np.float32), (8, 1))
    found = compare(rows, rows)
    assert (found.text_to_clip_r1, found.text_to_clip_r5, found.auc) == (0, 0, 0.5)


def test_random_embeddings_are_at_chance() -> None:
    rng = np.random.default_rng(0)
    images, texts = (unit_rows(rng.standard_normal((300, 16)).astype(np.float32)) for _ in range(2))
    found = compare(images, texts)
    assert found.text_to_clip_r1 < 0.03
    assert found.auc == pytest.approx(0.5, abs=0.05)


def test_the_area_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(1)
    true, false = rng.integers(0, 6, 40).astype(np.float32), rng.integers(0, 5, 30).astype(np.float32)
    above = (true[:, None] > false).mean() + (true[:, None] == false).mean() / 2
    assert area_under_curve(true, false) == pytest.approx(above)


def test_one_clip_is_too_few() -> None:
    with pytest.raises(ConfigError, match="at least two clips with captions, there are 0"):
        evaluate(ClipModel.__new__(ClipModel), [])
