"""A user's short prompt, written out in the style of the captions that the video model was trained on."""

from __future__ import annotations

from dataclasses import dataclass

from captioner.checks import words_of
from captioner.engine import CaptionEngine, CaptionRequest, ListFeed
from captioner.prompt import Prompt, find_prompt
from captioner.structured import clean_text
from captioner.words import PLAIN, stem

_MAX_TOKENS = 256


@dataclass(frozen=True, slots=True)
class Expansion:
    """What became of a prompt."""

    text: str
    """The descriptive one; the user's own where that lost something."""
    is_expanded: bool
    lost: tuple[str, ...] = ()
    """Words of the user's prompt that the rejected one lacked."""
    error: str = ""
    """Why there was no answer at all, in the engine's words."""


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
        return Expansion(request, is_expanded=False, error=reply.error)
    lost = lost_words(request, answer)
    return Expansion(request, is_expanded=False, lost=lost) if lost else Expansion(answer, is_expanded=True)


def lost_words(request: str, answer: str) -> tuple[str, ...]:
    """What a request names and an answer does not: things, actions, colours, numbers, whatever their inflection."""
    said = {stem(word) for word in words_of(answer)}
    return tuple(dict.fromkeys(word for word in words_of(request) if word not in PLAIN and stem(word) not in said))
