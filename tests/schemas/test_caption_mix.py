from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from schemas.caption import CaptionKind
from schemas.caption_mix import CaptionMixConfig, pick_caption_kind

ALL = ["dense", "short", "structured", "camera", "original"]


def shares(config: CaptionMixConfig, kinds: list[str], count: int = 20_000) -> dict[str | None, float]:
    rng = np.random.default_rng(0)
    drawn = Counter(pick_caption_kind(kinds, config, tuple(rng.random(3))) for _ in range(count))  # type: ignore[arg-type]
    return {kind: number / count for kind, number in drawn.items()}


def test_the_shares_are_those_of_the_config() -> None:
    found = shares(CaptionMixConfig(synthetic_ratio=0.8, dense_ratio=0.75, dropout_ratio=0.1), ALL)
    assert found == pytest.approx({None: 0.1, "dense": 0.54, "short": 0.18, "original": 0.18}, abs=0.015)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["original"], {CaptionKind.original}),
        (["short"], {CaptionKind.short}),
        (["dense"], {CaptionKind.dense}),
        (["camera", "structured"], {None}),
        ([], {None}),
    ],
)
def test_what_is_missing_is_made_up_for_by_what_there_is(kinds: list[str], expected: set[CaptionKind | None]) -> None:
    config = CaptionMixConfig(synthetic_ratio=0.5, dense_ratio=0.5, dropout_ratio=0)
    assert set(shares(config, kinds, 200)) == expected
