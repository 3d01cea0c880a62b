from __future__ import annotations

from hashlib import blake2b

from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.shard_layout import Leaf, leaves


def ids(count: int, first: int = 0) -> list[str]:
    return sorted(blake2b(str(first + k).encode(), digest_size=16).hexdigest() for k in range(count))


def contents(listed: list[str], sizes: dict[str, int], target: int) -> dict[int, list[str]]:
    found = leaves(listed, [sizes[one] for one in listed], target)
    return {leaf.number: listed[leaf.start : leaf.stop] for leaf in found}


@settings(deadline=None)
@given(st.lists(st.integers(1, 100), max_size=200), st.integers(1, 500))
def test_every_clip_lies_in_one_shard_and_no_shard_is_too_large(sizes: list[int], target: int) -> None:
    listed = ids(len(sizes))
    found = list(leaves(listed, sizes, target))
    assert [k for leaf in found for k in range(leaf.start, leaf.stop)] == list(range(len(sizes)))
    assert len({leaf.number for leaf in found}) == len(found)
    for leaf in found:
        assert leaf.stop > leaf.start
        assert sum(sizes[leaf.start : leaf.stop]) <= target or leaf.stop - leaf.start == 1


def test_a_few_clips_share_one_shard() -> None:
    assert list(leaves(ids(5), [1] * 5, 100)) == [Leaf(0, 0, 5)]
    assert Leaf(0, 0, 5).file_name == "000000.tar"
    assert list(leaves([], [], 100)) == []


def test_numbers_are_those_of_a_heap() -> None:
    listed = ["0" * 32, "4" + "0" * 31, "8" + "0" * 31, "f" * 32]
    assert list(leaves(listed, [10] * 4, 20)) == [Leaf(1, 0, 2), Leaf(2, 2, 4)]
    assert list(leaves(listed, [10] * 4, 10)) == [Leaf(3, 0, 1), Leaf(4, 1, 2), Leaf(5, 2, 3), Leaf(6, 3, 4)]


def test_ids_that_differ_in_their_last_bit_are_told_apart() -> None:
    listed = ["a" * 31 + "2", "a" * 31 + "3"]
    assert [(leaf.start, leaf.stop) for leaf in leaves(listed, [10, 10], 10)] == [(0, 1), (1, 2)]


def test_a_new_clip_changes_one_shard_or_splits_it() -> None:
    before = ids(400)
    sizes = dict.fromkeys([*before, *ids(40, first=1000)], 10)
    old = contents(before, sizes, 200)
    for new in ids(40, first=1000):
        now = contents(sorted([*before, new]), sizes, 200)
        gone = [number for number in old if now.get(number) != old[number]]
        assert len(gone) <= 1
        fresh = [number for number in now if now[number] != old.get(number)]
        assert new in [clip for number in fresh for clip in now[number]]
        if gone and gone[0] not in now:
            assert {(number - 1) // 2 for number in fresh} <= {gone[0], *fresh, *((n - 1) // 2 for n in fresh)}


def test_shards_are_half_full_on_the_whole() -> None:
    listed = ids(5000)
    found = list(leaves(listed, [10] * 5000, 1000))
    assert 0.4 < 5000 * 10 / (len(found) * 1000) <= 1
