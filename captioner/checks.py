"""What a caption is checked for; each finding is a flag in the table `captions`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from captioner.config import ChecksConfig

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|\d+")
_GRAM = 4
_REFUSALS = re.compile(
    r"\b(i(?:'m| am) (?:sorry|unable|not able)|i can(?:no|')t (?:help|assist|describe|see|view|watch|process)"
    r"|as an ai|as a language model|i (?:do not|don't) have (?:access|the ability)|cannot comply"
    r"|no (?:video|image)s? (?:was|were|is|are) (?:provided|attached))\b",
    re.IGNORECASE,
)
_INSTRUCTIONS = re.compile(
    r"(\bignore (?:all |any )?(?:previous|prior|above) (?:instructions|prompts)\b|\bsystem prompt\b|\byou must now\b"
    r"|<\|im_(?:start|end)\|>)",
    re.IGNORECASE,
)
"""Words that speak to a reader's model: text seen in the picture may hold them, and they do not go on."""
_MARKUP = re.compile(r"<[/!]?[a-z][^<>]*>|&(?:[a-z]+|#\d+|#x[0-9a-f]+);|```|\]\(\s*\w+:", re.IGNORECASE)
"""HTML and Markdown: a caption is plain words."""
_LATIN_SHARE = 0.7


def flags(text: str, config: ChecksConfig) -> list[str]:
    """What is wrong with a caption, one word each; none where nothing is.

    Args:
        text: A caption in sentences.
        config: What is allowed.
    """
    words = words_of(text)
    found = []
    if len(words) < config.min_words:
        found.append("too_short")
    if len(words) > config.max_words:
        found.append("too_long")
    if repeat_ratio(words) > config.max_repeat_ratio:
        found.append("repeats")
    if _REFUSALS.search(text):
        found.append("refusal")
    if _INSTRUCTIONS.search(text):
        found.append("instruction")
    if _MARKUP.search(text):
        found.append("markup")
    if latin_share(text) < _LATIN_SHARE:
        found.append("language")
    if forbidden_in(words, config.forbidden):
        found.append("forbidden")
    return found


def words_of(text: str) -> list[str]:
    """Its words and numbers, small."""
    return [word.lower() for word in _WORD.findall(text)]


def repeat_ratio(words: list[str]) -> float:
    """Share of the groups of four words that occurred before, 0 to 1: a model in a loop says one thing again."""
    grams = list(zip(*(words[k:] for k in range(_GRAM)), strict=False))
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def latin_share(text: str) -> float:
    """Share of its letters that are of the Latin alphabet; 1 where it has none."""
    letters = [char for char in text if char.isalpha()]
    return sum(char < "\u0250" for char in letters) / len(letters) if letters else 1.0


def forbidden_in(words: Iterable[str], forbidden: Iterable[str]) -> list[str]:
    """The forbidden phrases that occur as whole words."""
    text = f" {' '.join(words)} "
    return [phrase for phrase in forbidden if f" {' '.join(words_of(phrase))} " in text and words_of(phrase)]
