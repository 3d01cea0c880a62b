"""Right and wrong attributes in captions of clips of which the truth is known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Facts = Mapping[str, tuple[str, ...]]
"""Phrases that a right caption holds, by attribute."""


@dataclass(frozen=True, slots=True)
class FactScore:
    """One attribute over many captions."""

    attribute: str
    num_right: int
    """Phrases that were to be said and are."""
    num_missing: int
    """Phrases that were to be said and are not."""
    num_wrong: int
    """Phrases that are true of other clips and are said of this one."""

    @property
    def accuracy(self) -> float:
        """Right over all that were to be said or are said, in [0, 1]."""
        return self.num_right / max(self.num_right + self.num_missing + self.num_wrong, 1)


def fact_scores(facts: Mapping[str, Facts], texts: Mapping[str, str]) -> list[FactScore]:
    """The score of each attribute.

    A phrase counts where it stands in the text, in any case, as whole words. Every phrase that is true of some clip may
    be wrongly said of another, so that a caption gains nothing by naming all there is.

    Args:
        facts: By clip id; a clip that is not known to have an attribute does not count for it.
        texts: Captions by clip id; a clip without one has everything missing.
    """
    attributes = sorted({attribute for known in facts.values() for attribute in known})
    return [_score(attribute, facts, texts) for attribute in attributes]


def _score(attribute: str, facts: Mapping[str, Facts], texts: Mapping[str, str]) -> FactScore:
    phrases = {phrase.lower() for known in facts.values() for phrase in known.get(attribute, ())}
    finder = PhraseFinder(phrases)
    right = missing = wrong = 0
    for clip_id, known in facts.items():
        if attribute in known:
            true = {phrase.lower() for phrase in known[attribute]}
            said = finder.found(texts.get(clip_id, ""))
            right += len(true & said)
            missing += len(true - said)
            wrong += len(said - true)
    return FactScore(attribute, right, missing, wrong)


class PhraseFinder:
    """Finds phrases in texts.

    Args:
        phrases: In small letters.
    """

    def __init__(self, phrases: Iterable[str]) -> None:
        # A hyphen joins: "up" does not stand in "up-left".
        self._patterns = {phrase: re.compile(rf"(?<![\w-]){re.escape(phrase)}(?![\w-])") for phrase in phrases}

    def found(self, text: str) -> set[str]:
        """Those that stand in a text."""
        text = " ".join(text.lower().split())
        return {phrase for phrase, pattern in self._patterns.items() if phrase in text and pattern.search(text)}
