from __future__ import annotations

import numpy as np
import pytest

from pipeline.shots.detail import detail_share


def noise(seed: int, width: int = 48) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 255, (27, width, 3)).astype(np.float32)


def test_a_dissolve_keeps_half_the_detail() -> None:
    old, new = noise(1), noise(2)
    frames = [old * (1 - a) + new * a for a in np.linspace(0, 1, 21)]
    assert detail_share(np.stack(frames).astype(np.uint8), 0, 20) == pytest.approx(0.53, abs=0.05)


def test_a_pan_keeps_it_all() -> None:
    wide = noise(3, width=100)
    frames = [wide[:, 2 * k : 2 * k + 48] for k in range(21)]
    assert detail_share(np.stack(frames).astype(np.uint8), 0, 20) == pytest.approx(1.0, abs=0.05)


def test_neighbours_have_nothing_between() -> None:
    assert detail_share(np.stack([noise(1), noise(2)]).astype(np.uint8), 0, 1) == 1.0
