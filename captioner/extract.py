"""A video's caption made of sentences of its clips' captions, each with its time; no model has a part in it."""

from __future__ import annotations

import heapq
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from captioner.checks import words_of
from captioner.video_parts import Part
from captioner.words import PLAIN, stem

_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True)
class _Sentence:
    place: int
    """Of its part."""
    text: str
    num_words: int
    names: frozenset[str]
    """What it names: the stems of its words without the plain ones."""


def extract(parts: Sequence[Part], max_words: int) -> str:
    """The sentences that together name the most, the rare before the common, within a number of words.

    A word that few parts hold weighs more, and one that is named already weighs nothing: what happens once in an hour
    is told, and what is always there is told once. Sentences stand in order of time, behind the time at which their
    part begins, as `[0:12:30]`; of a video with one part the text is that part's own.

    Args:
        parts: In order of time.
        max_words: Of the text, times not counted.
    """
    if len(parts) == 1:
        return _cut(parts[0].text, max_words)
    chosen = _chosen(list(_sentences(parts)), len(parts), max_words)
    if not chosen and parts:
        return f"{stamp(parts[0].start_s)} {_cut(parts[0].text, max_words)}"
    told: list[str] = []
    before = -1
    for sentence in chosen:
        mark = "" if sentence.place == before else f"{stamp(parts[sentence.place].start_s)} "
        told.append(f"{mark}{sentence.text}")
        before = sentence.place
    return " ".join(told)


def stamp(time_s: float) -> str:
    """A time as `[1:02:03]`, whole seconds, rounded down."""
    minutes, seconds = divmod(int(time_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"[{hours}:{minutes:02}:{seconds:02}]"


def _sentences(parts: Sequence[Part]) -> Iterable[_Sentence]:
    for place, part in enumerate(parts):
        for text in _END.split(part.text):
            words = words_of(text)
            if words:
                names = frozenset(stem(word) for word in words if word not in PLAIN)
                yield _Sentence(place, text, len(words), names)


def _chosen(sentences: Sequence[_Sentence], num_parts: int, max_words: int) -> list[_Sentence]:
    """Greedily the sentence that adds most weight a word, as long as there is room and something new; in order."""
    held_by = Counter(name for names in _names_by_part(sentences) for name in names)
    weight = {name: math.log(1 + num_parts / count) for name, count in held_by.items()}

    def gain(sentence: _Sentence) -> float:
        # Summed in one order: sets have another in each process, and the sum's last digit with it.
        return sum(weight[name] for name in sorted(sentence.names - named)) / sentence.num_words

    named: set[str] = set()
    chosen: list[int] = []
    # A gain only falls as more is named, so that one which is still the largest when looked at again is the largest.
    heap = [(-gain(sentence), index) for index, sentence in enumerate(sentences)]
    heapq.heapify(heap)
    room = max_words
    while heap:
        _, index = heapq.heappop(heap)
        sentence = sentences[index]
        now = gain(sentence)
        if sentence.num_words > room or now <= 0:
            continue
        if heap and (-now, index) > heap[0]:
            heapq.heappush(heap, (-now, index))
            continue
        chosen.append(index)
        named |= sentence.names
        room -= sentence.num_words
    return [sentences[index] for index in sorted(chosen)]


def _names_by_part(sentences: Sequence[_Sentence]) -> Iterable[set[str]]:
    by_part: dict[int, set[str]] = {}
    for sentence in sentences:
        by_part.setdefault(sentence.place, set()).update(sentence.names)
    return by_part.values()


def _cut(text: str, max_words: int) -> str:
    words = text.split()
    return text if len(words) <= max_words else " ".join([*words[:max_words], "…"])
