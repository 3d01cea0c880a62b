"""A user's short prompt, written out in the style of the captions that the video model was trained on."""

from __future__ import annotations

import re
from dataclasses import dataclass

from captioner.checks import words_of
from captioner.engine import CaptionEngine, CaptionRequest, ListFeed
from captioner.prompt import Prompt, find_prompt
from captioner.structured import clean_text

_MAX_TOKENS = 256
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_PLAIN = frozenset(
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


@dataclass(frozen=True, slots=True)
class Expansion:
    """What became of a prompt."""

    text: str
    """The descriptive one; the user's own where that lost something."""
    is_expanded: bool
    lost: tuple[str, ...] = ()
    """Words of the user's prompt that the rejected one lacked."""


def expand_prompt(prompt: str, engine: CaptionEngine, *, seed: int = 0, template: Prompt | None = None) -> Expansion:
    """Have a model write a prompt out, and keep that only if it says all that the user said.

    Args:
        prompt: The user's.
        engine: A model that is set up; asked at temperature 0, so that a seed gives one answer.
        seed: Of the answer.
        template: With a place `{request}`; ours without it.
    """
    request = clean_text(prompt)
    asked = (template or find_prompt("expand")).text.replace("{request}", request)
    question = CaptionRequest(request_id="expand", prompt=asked, max_tokens=_MAX_TOKENS, seed=seed)
    (reply,) = engine.generate(ListFeed([question]))
    answer = clean_text(reply.text)
    if reply.finish != "stop" or not answer:
        return Expansion(request, is_expanded=False)
    lost = lost_words(request, answer)
    return Expansion(request, is_expanded=False, lost=lost) if lost else Expansion(answer, is_expanded=True)


def lost_words(request: str, answer: str) -> tuple[str, ...]:
    """What a request names and an answer does not: things, actions, colours, numbers, whatever their inflection."""
    said = {_stem(word) for word in words_of(answer)}
    return tuple(dict.fromkeys(word for word in words_of(request) if word not in _PLAIN and _stem(word) not in said))


def _stem(word: str) -> str:
    """A word without its ending, and a small number as digits: enough to tell one word from another."""
    if word in _NUMBERS:
        return str(_NUMBERS.index(word))
    if word.isdigit():
        return str(int(word))
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            stem = word.removesuffix(ending)
            # "running" is of "run".
            return re.sub(r"([bdgmnprt])\1$", r"\1", stem)
    return word
