from __future__ import annotations

import pytest

from captioner.mixing import CaptionMixConfig, pick_caption
from schemas.caption import CaptionKind

ALL = {CaptionKind.dense: ["d1", "d2"], CaptionKind.short: ["s"], CaptionKind.original: ["o"]}


def shares(config: CaptionMixConfig, captions: dict[CaptionKind, list[str]], count: int = 20_000) -> dict[str, float]:
    drawn = [pick_caption(captions, config, f"clip{k % 100}", k // 100) for k in range(count)]
    return {text: drawn.count(text) / count for text in set(drawn)}


def test_the_shares_are_those_of_the_config() -> None:
    found = shares(CaptionMixConfig(synthetic_ratio=0.8, dense_ratio=0.75, dropout_ratio=0.1), ALL)
    assert found == pytest.approx({"": 0.1, "d1": 0.27, "d2": 0.27, "s": 0.18, "o": 0.18}, abs=0.015)


def test_what_is_missing_is_made_up_for_by_what_there_is() -> None:
    config = CaptionMixConfig(synthetic_ratio=0.5, dense_ratio=0.5, dropout_ratio=0)
    assert set(shares(config, {CaptionKind.original: ["o"]}, 200)) == {"o"}
    assert set(shares(config, {CaptionKind.short: ["s"]}, 200)) == {"s"}
    assert set(shares(config, {CaptionKind.dense: ["d"], CaptionKind.original: []}, 200)) == {"d"}
    assert set(shares(config, {}, 200)) == {""}


def test_a_draw_depends_on_seed_clip_and_step_alone() -> None:
    config = CaptionMixConfig(dropout_ratio=0.5)
    once = [pick_caption(ALL, config, "c", step) for step in range(50)]
    assert once == [pick_caption(ALL, config, "c", step) for step in range(50)]
    assert once != [pick_caption(ALL, config, "d", step) for step in range(50)]
    assert once != [pick_caption(ALL, CaptionMixConfig(dropout_ratio=0.5, seed=1), "c", step) for step in range(50)]
