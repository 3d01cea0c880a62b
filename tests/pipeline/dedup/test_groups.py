from __future__ import annotations

import random

import pyarrow as pa
import pytest

from pipeline.dedup.groups import drop_duplicates
from pipeline.dedup.perceptual import PAIRS

Pair = dict[str, object]


def pair(clip: str, other: str, *, method: str = "perceptual", similarity: float = 0.95, offset_s: float | None = 0.0,
         share: float | None = 1.0, other_share: float | None = 1.0, speed: float | None = 1.0) -> Pair:  # fmt: skip
    return {
        "clip_id": clip, "other_id": other, "method": method, "similarity": similarity, "offset_s": offset_s,
        "share": share, "other_share": other_share, "speed": speed,
    }  # fmt: skip


def dropped(pairs: list[Pair], quality: dict[str, float | None], min_overlap: float = 0.5) -> dict[str, Pair]:
    table = pa.Table.from_pylist(pairs, schema=PAIRS)
    worth = pa.table({"clip_id": list(quality), "quality": pa.array(list(quality.values()), pa.float64())})
    return {row["clip_id"]: row for row in drop_duplicates(table, worth, min_overlap).to_pylist()}


def stays(pairs: list[Pair], quality: dict[str, float | None]) -> dict[str, str]:
    return {clip: str(row["duplicate_of"]) for clip, row in dropped(pairs, quality).items()}


def test_the_best_of_a_pair_stays() -> None:
    assert stays([pair("a", "b")], {"a": 1, "b": 2}) == {"a": "b"}
    assert stays([pair("a", "b")], {"a": 2, "b": 1}) == {"b": "a"}


def test_of_equals_the_smallest_id_stays() -> None:
    assert stays([pair("b", "a"), pair("b", "c"), pair("a", "c")], dict.fromkeys("abc", 1.0)) == {"b": "a", "c": "a"}


@pytest.mark.parametrize("worth", [None, float("nan")])
def test_a_clip_without_a_value_is_the_worst(worth: float | None) -> None:
    assert stays([pair("a", "b")], {"a": worth, "b": -5}) == {"a": "b"}


def test_a_contained_clip_goes_however_good_it_is() -> None:
    found = dropped([pair("short", "long", offset_s=4.0, share=1.0, other_share=0.2)], {"short": 100, "long": 1})
    assert found["short"]["duplicate_of"] == "long"
    assert found["short"]["offset_s"] == 4.0


def test_the_offset_is_that_of_the_dropped_clip_whichever_way_the_pair_is_written() -> None:
    found = dropped([pair("a", "b", offset_s=-1.5, speed=0.9, share=0.8, other_share=0.9)], {"a": 2, "b": 1})
    assert found["b"]["duplicate_of"] == "a"
    assert found["b"]["offset_s"] == pytest.approx(1.5 / 0.9, abs=1e-3)


def test_two_parts_of_a_long_clip_both_go_for_it() -> None:
    parts = [pair("p", "long", other_share=0.3), pair("q", "long", offset_s=6.0, other_share=0.3)]
    assert stays(parts, {"p": 9, "q": 9, "long": 1}) == {"p": "long", "q": "long"}


def test_no_clip_goes_for_one_that_goes_itself() -> None:
    chain = [pair("a", "b", offset_s=1.0), pair("b", "c", offset_s=2.0)]
    found = dropped(chain, {"a": 1, "b": 2, "c": 3})
    assert {clip: row["duplicate_of"] for clip, row in found.items()} == {"a": "c", "b": "c"}
    assert found["a"]["offset_s"] == 3.0


def test_a_chain_of_half_overlaps_is_not_one_clip() -> None:
    chain = [pair("a", "b", share=0.6, other_share=0.6), pair("b", "c", share=0.6, other_share=0.6)]
    assert stays(chain, {"a": 1, "b": 2, "c": 3}) == {"b": "c"}


def test_likeness_to_a_network_makes_no_chain() -> None:
    semantic = [pair("a", "b", method="semantic", offset_s=None, share=None, other_share=None, speed=None)]
    semantic += [{**semantic[0], "clip_id": "b", "other_id": "c"}]
    found = dropped(semantic, {"a": 1, "b": 2, "c": 3})
    assert set(found) == {"b"}
    assert found["b"]["offset_s"] is None


def test_exact_comes_before_perceptual_before_semantic() -> None:
    pairs = [pair("a", "b", method="semantic", offset_s=None), pair("a", "c"), pair("a", "d", method="exact")]
    assert dropped(pairs, {"a": 1, "b": 9, "c": 9, "d": 9})["a"]["method"] == "exact"


def test_the_order_of_the_rows_changes_nothing_and_every_name_stays() -> None:
    rng = random.Random(5)
    clips = [f"{k:02}" for k in range(40)]
    pairs = [
        pair(*rng.sample(clips, 2), similarity=rng.choice([0.9, 0.95]), offset_s=rng.uniform(-2, 2),
             share=rng.uniform(0.3, 1), other_share=rng.uniform(0.3, 1))
        for _ in range(90)
    ]  # fmt: skip
    quality = {clip: rng.choice([1.0, 2.0, 3.0]) for clip in clips}
    first = dropped(pairs, quality)
    for _ in range(5):
        rng.shuffle(pairs)
        assert dropped(pairs, dict(rng.sample(sorted(quality.items()), len(quality)))) == first
    assert first
    assert not {row["duplicate_of"] for row in first.values()} & set(first)


def test_no_pairs_give_no_rows() -> None:
    assert dropped([], {}) == {}
