from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from captioner.merge import Merging, cut, windows

TEXTS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=80), min_size=1, max_size=40)


@given(TEXTS, st.integers(20, 400))
def test_groups_hold_all_texts_in_order_and_fit(texts: list[str], max_bytes: int) -> None:
    groups = windows(texts, max_bytes)
    lines = [line for group in groups for line in group]
    assert len(lines) == len(texts)
    assert all(text.startswith(line) for text, line in zip(texts, lines, strict=True))
    assert all(len("\n".join(group).encode()) < max_bytes for group in groups)
    assert all(len(group) >= 2 for group in groups[:-1])


@given(st.text(st.characters(codec="utf-8"), max_size=60), st.integers(4, 40))
def test_a_text_is_cut_between_words_and_never_within_a_character(text: str, max_bytes: int) -> None:
    kept = cut(text, max_bytes)
    assert text.startswith(kept)
    assert len(kept.encode()) <= max_bytes
    assert kept == text or len(text.encode()) > max_bytes


def test_a_cut_ends_at_a_word() -> None:
    assert cut("one two three", 9) == "one two"
    assert cut("onetwothree", 5) == "onetw"
    assert cut("héé", 2) == "h"


@given(st.integers(1, 200), st.integers(12, 100))
def test_many_become_one_in_few_levels(count: int, max_bytes: int) -> None:
    merging = Merging([f"{k:03}" for k in range(count)], max_bytes)
    asked = 0
    while merging.text is None:
        groups = merging.next_groups()
        assert groups
        ends = [merging.put(place, group[0][:1] + "-" + group[-1][-1:]) for place, group in groups.items()]
        assert ends == [False] * (len(groups) - 1) + [True]
        asked += len(groups)
    assert asked < max(count, 2)
    assert merging.level <= 8
    assert merging.level > 0 or count == 1


def test_each_level_is_made_of_the_one_before() -> None:
    merging = Merging(["a" * 8, "b" * 8, "c" * 8, "d" * 8, "e" * 8], 20)
    groups = merging.next_groups()
    assert groups == {0: ["a" * 8, "b" * 8], 1: ["c" * 8, "d" * 8]}
    # Answers come in any order; the fifth waits.
    assert not merging.put(1, "cd")
    assert merging.put(0, "ab")
    assert merging.next_groups() == {0: ["ab", "cd", "e" * 8]}
    assert merging.text is None
    assert merging.put(0, "all")
    assert (merging.text, merging.level) == ("all", 2)
