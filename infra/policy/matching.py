"""Find the terms of a policy in the words of a prompt."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from infra.policy.spelling import Word, plain_text

_GAP = "..."
_MOST_BETWEEN = 3


@dataclass(frozen=True, slots=True)
class Hit:
    """A term in a prompt."""

    term: str
    start: int
    """Where it begins, in words; letters that stand alone in a row are one."""
    places: tuple[int, ...]
    """All of them; none for a pattern."""


class Term:
    """A word or a phrase.

    Args:
        text: As in the policy file.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        # A term is spelt as the prompts are: without accents, in lower case.
        self._parts = tuple(part if part == _GAP else plain_text(part) for part in text.replace("-", " ").split())
        is_plain = len(self._parts) > 1 and all(part.isalpha() for part in self._parts)
        # `h e i l h i t l e r` has no words to be a phrase of.
        self._joined = "".join(self._parts) if is_plain else None

    def hits(self, words: Sequence[Word]) -> Iterator[Hit]:
        """Where it is."""
        for start in range(len(words) - sum(part != _GAP for part in self._parts) + 1):
            places = self._match(words, start, self._parts)
            if places is not None:
                yield Hit(self.text, words[start].ordinal, places)
        if self._joined is not None:
            joined = (place for place, word in enumerate(words) if self._joined in word.spellings)
            yield from (Hit(self.text, words[place].ordinal, (place,)) for place in joined)

    def may_be_in(self, known: frozenset[str]) -> bool:
        """Whether it may be where only these spellings are; quick, and never wrong when it says no."""
        plain = (part for part in self._parts if part.isascii() and part != _GAP and part[0] != "=" and part[-1] != "*")
        return known.issuperset(plain) or self._joined in known

    def _match(self, words: Sequence[Word], start: int, parts: tuple[str, ...]) -> tuple[int, ...] | None:
        """The places of its words from a place on; None where they are not there."""
        if not parts:
            return ()
        if parts[0] == _GAP:
            for between in range(_MOST_BETWEEN + 1):
                rest = self._match(words, start + between, parts[1:])
                if rest is not None:
                    return rest
            return None
        if start >= len(words) or not _is(words[start], parts[0]):
            return None
        rest = self._match(words, start + 1, parts[1:])
        return None if rest is None else (start, *rest)


def _is(word: Word, part: str) -> bool:
    """Whether a word is a part of a term."""
    if part.startswith("="):
        return part[1:] in word.written
    if part.endswith("*"):
        return any(spelling.startswith(part[:-1]) for spelling in word.spellings)
    if part in word.spellings:
        return True
    if len(part) > 1 and not part.isascii() and any(ord(char) >= 0x3000 for char in part):
        # Chinese and Japanese have no spaces between words.
        return part in word.plain
    return any("*" in spelling and _fits(spelling, part) for spelling in word.spellings)


def _fits(masked: str, part: str) -> bool:
    """Whether a word with stars in it, as people write around filters, is this one."""
    return (
        len(masked) == len(part)
        and len(part) >= 4
        and masked.count("*") <= len(part) // 2
        and masked[0] == part[0]
        and all(char in ("*", other) for char, other in zip(masked, part, strict=True))
    )


class Group:
    """Terms and patterns that mean the same to a rule.

    Args:
        terms: As in the policy file.
        patterns: Regular expressions over the plain prompt.
    """

    def __init__(self, terms: Sequence[str], patterns: Sequence[str] = ()) -> None:
        self._terms = [Term(term) for term in terms]
        self._patterns = [re.compile(pattern) for pattern in patterns]

    def hits(self, words: Sequence[Word], text: str, harmless: frozenset[int] = frozenset()) -> list[Hit]:
        """Where any of its terms is, places that are harmless left out.

        Args:
            words: Of the prompt.
            text: The plain prompt.
            harmless: Places that count for nothing.
        """
        known = frozenset().union(*(word.spellings for word in words))
        is_masked = any("*" in spelling for spelling in known)
        likely = [term for term in self._terms if is_masked or term.may_be_in(known)]
        found = [hit for term in likely for hit in term.hits(words) if not harmless & set(hit.places)]
        for pattern in self._patterns:
            match = pattern.search(text)
            if match is not None:
                found.append(Hit(match.group().strip(), len(text[: match.start()].split()), ()))
        return sorted(found, key=lambda hit: hit.start)
