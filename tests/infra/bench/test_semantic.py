from __future__ import annotations

from pathlib import Path

import numpy as np

from infra.bench import semantic


def test_a_small_measurement_finds_every_pair(tmp_path: Path) -> None:
    figures = semantic.measure(tmp_path, count=3000, sample=300)
    assert all(figure.reached for figure in figures)
    assert [figure.value for figure in figures[2:]] == [1.0, 1.0]
    # Some pairs there must be, or nothing was shown.
    assert int(figures[2].note.split()[0]) > 20


def test_drawn_embeddings_are_of_unit_length_and_the_same_for_the_same_seed() -> None:
    first, again = (np.concatenate(list(semantic.drawn_embeddings(12_000, 64, seed=3))) for _ in range(2))
    assert first.shape == (12_000, 64)
    assert (first == again).all()
    assert np.abs(np.linalg.norm(first, axis=1) - 1).max() < 1e-3
