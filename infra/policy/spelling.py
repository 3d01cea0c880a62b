"""Prompts as words, each in all the spellings that it may stand for."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

_LETTERS = {
    # Cyrillic
    "а": "a", "б": "b", "в": "b", "г": "r", "ԁ": "d", "е": "e", "ё": "e", "з": "z", "и": "u", "һ": "h", "н": "h",
    "і": "i", "ї": "i", "ј": "j", "к": "k", "ӏ": "l", "м": "m", "п": "n", "о": "o", "р": "p", "ԛ": "q", "с": "c",
    "ѕ": "s", "т": "t", "у": "yu", "ү": "y", "ѵ": "v", "ԝ": "w", "х": "x", "ҳ": "x", "ӕ": "a", "ғ": "f", "ԍ": "g",
    # Greek
    "α": "a", "β": "b", "ϲ": "c", "δ": "d", "ε": "e", "η": "nh", "ι": "i", "κ": "k", "λ": "l", "μ": "u", "ν": "v",
    "ο": "o", "π": "n", "ρ": "p", "σ": "os", "ς": "s", "τ": "t", "υ": "uvy", "χ": "x", "ω": "w", "γ": "y", "ζ": "z",
    # Armenian
    "ո": "n", "ս": "u", "օ": "o", "հ": "h", "ց": "g", "յ": "j", "զ": "q",
    # Latin: small capitals, turned letters, letters with a stroke
    "ᴀ": "a", "ʙ": "b", "ᴄ": "c", "ᴅ": "d", "ᴇ": "e", "ꜰ": "f", "ɢ": "g", "ʜ": "h", "ɪ": "i", "ᴊ": "j", "ᴋ": "k",
    "ʟ": "l", "ᴍ": "m", "ɴ": "n", "ᴏ": "o", "ᴘ": "p", "ǫ": "q", "ʀ": "r", "ꜱ": "s", "ᴛ": "t", "ᴜ": "u", "ᴠ": "v",
    "ᴡ": "w", "ʏ": "y", "ᴢ": "z", "ǝ": "e", "ɐ": "a", "ʇ": "t", "ɹ": "r", "ʎ": "y", "ɯ": "m", "ɥ": "h", "ɔ": "c",
    "ɑ": "a", "ɡ": "g", "ɩ": "i", "ı": "i", "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ƅ": "b", "ƈ": "c",
    "ɗ": "d", "ƙ": "k", "æ": "a", "œ": "o",
}  # fmt: skip
"""Letters that look Latin, and what like. Source: Unicode Technical Standard 39, confusables.txt, in part."""
_FLAGS = {0x1F1E6 + number: chr(ord("a") + number) for number in range(26)}
"""Letters of which flags are made."""
_SIGNS = {
    "0": "o", "1": "il", "2": "z", "3": "e", "4": "a", "5": "s", "6": "gb", "7": "t", "8": "b", "9": "g",
    "@": "a", "$": "s", "!": "i", "|": "il", "+": "t", "€": "e", "£": "l", "¥": "y", "(": "c", "¢": "c", "*": "*",
}  # fmt: skip
"""What digits and signs stand for in a word."""
_MAX_SPELLINGS = 32
_MAX_LETTERS = 64
"""Of a word; nothing of ours is longer."""
_MIN_JOINED, _MAX_JOINED = 3, 12
"""Single letters that are read as one word."""
_PART = re.compile(r"[\w@$!|+€£¥(¢*]+")
_BREAKS = re.compile(r"[\n\t\r\v\f]")
_UNSEEN = frozenset({"Mn", "Me", "Cf", "Cc", "Co"})
"""Categories of marks on letters, and of characters that show nothing."""
_APOSTROPHES = re.compile(r"[’ʼ`´＇]")
_REPEATED = re.compile(r"(\w)\1{2,}")
_DOUBLES = re.compile(r"[^aeiou]+[aeiou][^aeiouwxy]")
_VOWELS = frozenset("aeiou")


@dataclass(frozen=True, slots=True)
class Word:
    """A place in a prompt."""

    spellings: frozenset[str]
    """What is written there, in every reading, without inflection too."""
    written: frozenset[str]
    """The same as it is inflected."""
    plain: str
    """As it is written, in lower case."""
    ordinal: int
    """Which word it is, where letters that stand alone in a row are one."""


def plain_text(prompt: str) -> str:
    """A prompt in lower case, composed, without marks and invisible characters.

    Source: Unicode Standard Annex 15 (NFKC).
    """
    composed = unicodedata.normalize("NFKC", _BREAKS.sub(" ", prompt).translate(_FLAGS)).casefold()
    kept = (char for char in unicodedata.normalize("NFKD", composed) if unicodedata.category(char) not in _UNSEEN)
    return unicodedata.normalize("NFC", _APOSTROPHES.sub("'", "".join(kept)))


def words_of(prompt: str) -> list[Word]:
    """The words of a prompt, in order."""
    parts: list[str] = []
    extra: list[tuple[int, str]] = []
    for chunk in plain_text(prompt).split():
        pieces = _PART.findall(re.sub(r"'s?(?=\W|$)", "", chunk).replace("_", " "))
        if len(pieces) > 1:
            # `na-ked`, `s.e.x`: what a mark divides may be one word.
            extra.append((len(parts), "".join(pieces)))
        parts += [piece.strip("!|+(") or piece for piece in pieces]
    also: dict[int, set[str]] = {}
    for place, text in (*extra, *_joined(parts)):
        also.setdefault(place, set()).update(_written(text))
    words: list[Word] = []
    ordinal = -1
    for place, part in enumerate(parts):
        ordinal += not (len(part) == 1 and place and len(parts[place - 1]) == 1)
        written = _written(part) | also.get(place, set())
        words.append(Word(written | _bases(written), frozenset(written), part, ordinal))
    return words


def _joined(parts: list[str]) -> Iterator[tuple[int, str]]:
    """What letters that stand alone in a row spell, and where: `s e x`, also inside a longer row."""
    for start, part in enumerate(parts):
        text = ""
        for other in parts[start : start + _MAX_JOINED] if len(part) == 1 else ():
            if len(other) != 1:
                break
            text += other
            if len(text) >= _MIN_JOINED:
                yield start, text


@lru_cache(maxsize=8192)
def _written(part: str) -> frozenset[str]:
    """All that one written word may stand for, inflected as it is."""
    if len(part) > _MAX_LETTERS:
        return frozenset({part[:_MAX_LETTERS]})
    found = {part}
    signs = _SIGNS if any(char.isalpha() for char in part) else {}
    choices = [_LETTERS.get(char, signs.get(char, char)) for char in part]
    found |= {"".join(one) for one in itertools.islice(itertools.product(*choices), _MAX_SPELLINGS)}
    # Letters of another alphabet beside digits that are meant as digits.
    found.add("".join(_LETTERS.get(char, char)[0] for char in part))
    for written in list(found):
        # `seeexy`, `lewdd`: hardly a word has a letter three times in a row, or is another one with its last doubled.
        found |= {_REPEATED.sub(times, written) for times in (r"\1", r"\1\1")}
        found |= {written[:-1]} if written[-1:] == written[-2:-1] and len(written) > 3 else set()
    return frozenset(found)


def _bases(written: Iterable[str]) -> frozenset[str]:
    return frozenset(base for word in written for base in base_forms(word))


@lru_cache(maxsize=8192)
def base_forms(word: str) -> frozenset[str]:
    """What an English word may be an inflection of; some are no words."""
    found = set()
    if word.endswith("s") and len(word) > 3:
        found.add(word[:-1])
        if word.endswith("ies"):
            found.add(word[:-3] + "y")
        if word.endswith("es"):
            found.add(word[:-2])
        if word.endswith("ves"):
            found |= {word[:-3] + "f", word[:-3] + "fe"}
    for ending in ("ed", "ing", "er", "ers"):
        stem = word.removesuffix(ending)
        if stem == word or len(stem) < 3 or not _VOWELS & set(stem):
            continue
        # `striped` is no form of `strip`, which doubles its last letter.
        found |= {stem + "e"} if _DOUBLES.fullmatch(stem) else {stem, stem + "e"}
        if stem[-1] == stem[-2]:
            found.add(stem[:-1])
        if stem.endswith("i"):
            found.add(stem[:-1] + "y")
    return frozenset(found)
