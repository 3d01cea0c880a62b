"""What a prompt asks for: the facts that it names, in the world's own words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from infra.demo.captions import (
    BITE,
    CAMERA_WORDS,
    GO,
    NUMBER_WORDS,
    OCCLUDER_WORDS,
    RELATION_WORDS,
    SIZE_WORDS,
    SPEED_WORDS,
    STAND,
    WAYS,
)
from infra.demo.vocabulary import BACKGROUNDS, COLORS, FLOORS, SHAPES, STILL


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedThing:
    """An object that a prompt names."""

    size: str
    color: str
    shape: str
    motion: str = ""
    """A direction, `still`, or what an event makes it do; empty where nothing is said."""
    speed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a prompt names; empty or None is what it leaves open."""

    prompt: str
    things: tuple[AskedThing, ...] = ()
    """The subject first."""
    number: int | None = None
    """How many objects there are in all."""
    relation: str = ""
    """Where the first stands as seen from the second, at the start."""
    event: str = ""
    """One of the world's events, `turns`, `return` or `bite`."""
    background: str = ""
    floor: str = ""
    camera: str = ""
    occluder: str = ""

    @property
    def asks(self) -> bool:
        """Whether it names anything that can be looked for."""
        return bool(self.things or self.background or self.camera)


EVENT_OF = {
    "falling": "fall",
    "bouncing": "bounce",
    "painting": "brush",
    "colliding": "collision",
    "returning": "return",
}
"""What happens where the subject moves so."""


def read_prompt(prompt: str) -> Asked:
    """Find what a prompt in the world's words asks for.

    Args:
        prompt: As `infra.demo.captions` writes them, or free text, of which what is known is found.
    """
    text = " ".join(prompt.lower().split())
    things: dict[str, AskedThing] = {}
    for found in _THING.finditer(text):
        size, color, shape = found.groups()
        known = things.get(color)
        act = _act(text[found.end() :])
        if known is None:
            things[color] = AskedThing(size=_SIZES[size], color=color, shape=shape, motion=act[0], speed=act[1])
        elif not known.motion and act[0]:
            things[color] = AskedThing(size=known.size, color=color, shape=shape, motion=act[0], speed=act[1])
    listed = list(things.values())
    event = EVENT_OF.get(listed[0].motion, "") if listed else ""
    if event == "collision" and len(listed) > 1:
        listed[1] = AskedThing(size=listed[1].size, color=listed[1].color, shape=listed[1].shape, motion="colliding")
    if _THEN.search(text) and len(listed) > 1:
        event = "turns"
    elif _BITE.search(text) and listed:
        event = "bite"
    return Asked(
        prompt=prompt,
        things=tuple(listed),
        number=_number(text),
        relation=_first(text, {name: [f"at first it is {word}" for word in w] for name, w in RELATION_WORDS.items()}),
        event=event,
        background=_first(text, {name: [name] for name in BACKGROUNDS}),
        floor=_first(text, {name: [name] for name in FLOORS}),
        camera=_first(text, CAMERA_WORDS),
        occluder=_first(text, OCCLUDER_WORDS),
    )


def _words(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_SIZES = {word: size for size, words in SIZE_WORDS.items() for word in words}
_SPEEDS = {word: speed for speed, words in SPEED_WORDS.items() for word in words}
_WAYS = {word: way for way, words in WAYS.items() for word in words}
_THING = re.compile(rf"\b({_words(_SIZES)}) ({_words(COLORS)}) ({_words(SHAPES)})\b")
_MOVES = re.compile(rf" (?:{_words(GO)}) ({_words(_SPEEDS)}) ({_words(_WAYS)})")
_ACTS = {
    STILL: re.compile(rf" (?:{_words(STAND)})"),
    "falling": re.compile(r" (?:falls to the floor|drops and comes to rest on the floor)"),
    "bouncing": re.compile(r" (?:bounces on the floor|keeps bouncing up and down)"),
    "painting": re.compile(r" (?:paints|leaves|draws) an? \w+ stroke that stays"),
    "colliding": re.compile(r" (?:runs into|hits|bumps into) an? "),
    "returning": re.compile(r" leaves the picture and comes back"),
}
_THEN = re.compile(r"(?:;|\.) then (?:the|an?) ")
_BITE = re.compile(rf"[;.] (?:{_words(BITE)})\b")


def _act(after: str) -> tuple[str, str]:
    """What the object before a piece of text does, and how fast."""
    moves = _MOVES.match(after)
    if moves is not None:
        return _WAYS[moves[2]], _SPEEDS[moves[1]]
    return next((motion for motion, words in _ACTS.items() if words.match(after)), ""), ""


def _number(text: str) -> int | None:
    if re.search(r"\b(?:a single|one) object\b", text):
        return 1
    return next((num for num, word in NUMBER_WORDS.items() if re.search(rf"\b{word} objects\b", text)), None)


def _first(text: str, words: Mapping[str, Iterable[str]]) -> str:
    """The name whose words come first in a text; of those that begin together the longest."""
    found = [
        (place, -len(word), name)
        for name, listed in words.items()
        for word in listed
        if (place := text.find(word.lower())) >= 0
    ]
    return min(found)[2] if found else ""
