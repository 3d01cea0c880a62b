from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captioner.checks import words_of
from captioner.extract import extract, stamp
from captioner.video_parts import Part

COMMON = "Two red circles move to the left over a tiled floor. The camera does not move."


def film(num_parts: int, planted: dict[int, str]) -> list[Part]:
    return [Part(5.0 * k, 5.0 * k + 5, f"{COMMON} {planted[k]}" if k in planted else COMMON) for k in range(num_parts)]


def test_what_happens_once_is_told_with_its_time_and_what_is_always_there_is_told_once() -> None:
    text = extract(film(720, {100: "A dog jumps over the fence.", 500: "The lamp breaks."}), 100)
    assert text == (
        "[0:00:00] Two red circles move to the left over a tiled floor. The camera does not move. "
        "[0:08:20] A dog jumps over the fence. [0:41:40] The lamp breaks."
    )


def test_where_there_is_little_room_the_rare_goes_first() -> None:
    text = extract(film(720, {100: "A dog jumps over the fence.", 500: "The lamp breaks."}), 9)
    assert text == "[0:08:20] A dog jumps over the fence. [0:41:40] The lamp breaks."


def test_a_video_of_one_part_keeps_its_caption() -> None:
    assert extract([Part(0.0, 5.0, COMMON)], 100) == COMMON
    assert extract([Part(0.0, 5.0, COMMON)], 3) == "Two red circles …"


def test_a_sentence_that_is_too_long_for_all_is_cut() -> None:
    parts = [Part(0.0, 5.0, "A cat " + "and a dog " * 50), Part(5.0, 9.0, "A bird " + "and a fish " * 50)]
    assert extract(parts, 4) == "[0:00:00] A cat and a …"


@pytest.mark.parametrize(
    ("time_s", "told"), [(0.0, "[0:00:00]"), (59.999, "[0:00:59]"), (3725.5, "[1:02:05]"), (360000.0, "[100:00:00]")]
)
def test_times_are_whole_seconds(time_s: float, told: str) -> None:
    assert stamp(time_s) == told


SENTENCES = st.lists(
    st.sampled_from(["A cat runs.", "A dog sits!", "Is it dark?", "It.", "Three 3 words 12", "…"]), max_size=4
)


@given(st.lists(SENTENCES.map(" ".join), min_size=1, max_size=12), st.integers(1, 40))
def test_every_sentence_is_of_the_part_that_its_time_names_and_all_fit(texts: list[str], max_words: int) -> None:
    parts = [Part(10.0 * k, 10.0 * k + 10, text) for k, text in enumerate(texts)]
    told = extract(parts, max_words)
    if len(parts) == 1:
        return
    pieces = re.findall(r"\[(\d+):(\d+):(\d+)\] ([^\[]*)", told)
    times = [int(h) * 3600 + int(m) * 60 + int(s) for h, m, s, _ in pieces]
    assert times == sorted(set(times))
    for time_s, (*_, said) in zip(times, pieces, strict=True):
        assert all(
            sentence in parts[time_s // 10].text
            for sentence in re.split(r"(?<=[.!?])\s+", said.strip().removesuffix(" …"))
        )
    if "…" not in told:
        assert sum(len(words_of(said)) for *_, said in pieces) <= max_words


def test_the_text_is_the_same_in_every_process() -> None:
    script = (
        "from captioner.extract import extract; from captioner.video_parts import Part; "
        "print(extract([Part(k, k + 1, f'A {c} {s} sits. A {s} {c} dog runs away {k % 7}.') "
        "for k, (c, s) in enumerate([(c, s) for c in ('red', 'blue', 'green') for s in ('cat', 'bird', 'fish')])], 20))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", script], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(told) == 1
