"""Words apart from their inflection, and which of them name something."""

from __future__ import annotations

import re

_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
PLAIN = frozenset(
    word
    for line in (
        "a an the this that these those some any each every and or but nor so as at by for from in into of off on",
        "onto out over to towards under up down with without while when where which who whose is are was were be been",
        "being am do does did has have had will would can could should may might must it its his her their our your my",
        "i we you he she they them there here very really just then than too also please video clip shot footage film",
        "movie show showing shows make create generate about around between through during before after",
    )
    for word in line.split()
)
"""Words that name nothing."""
_ENDINGS = ("ings", "ing", "ies", "ied", "es", "ed", "er", "ly", "s", "e", "y")


def stem(word: str) -> str:
    """A word without its ending, and a small number as digits: enough to tell one word from another."""
    if word in _NUMBERS:
        return str(_NUMBERS.index(word))
    if word.isdigit():
        return str(int(word))
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            begun = word.removesuffix(ending)
            # "running" is of "run".
            return re.sub(r"([bdgmnprt])\1$", r"\1", begun)
    return word
