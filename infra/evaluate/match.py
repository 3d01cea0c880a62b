"""Which of the objects that are seen are meant by the things that a prompt names."""

from __future__ import annotations

from collections.abc import Sequence

from infra.evaluate.asked import Asked, AskedThing
from infra.evaluate.objects import Seen
from infra.evaluate.sight import Sight

_MOST_CANDIDATES = 6
"""The most prominent objects."""

Match = tuple[int | None, ...]
"""Of each thing asked for, which object is meant; None where there is none."""


def match_things(asked: Asked, sight: Sight) -> Match:
    """Which objects are meant by the things that are asked for: as many colours and shapes as can be must agree."""
    # The best choice for the things so far, by the objects that it takes: there may be as many things as colours.
    best: dict[frozenset[int], tuple[float, Match]] = {frozenset(): (0.0, ())}
    for thing in asked.things:
        longer: dict[frozenset[int], tuple[float, Match]] = {}
        for taken, (total, match) in best.items():
            for index in (None, *range(min(len(sight.objects), _MOST_CANDIDATES))):
                if index in taken:
                    continue
                now = taken if index is None else taken | {index}
                found = (total + _gain(thing, sight, index), (*match, index))
                if now not in longer or found[0] > longer[now][0]:
                    longer[now] = found
        best = longer
    return max(best.values(), key=lambda found: found[0])[1]


def _gain(thing: AskedThing, sight: Sight, index: int | None) -> float:
    """How well an object agrees with a thing; what agrees in neither colour nor shape is not the one that is meant."""
    if index is None:
        return 0.0
    one = sight.objects[index]
    agreement = (one.color == thing.color) + (one.shape == thing.shape)
    return agreement + 0.01 / (1 + index) if agreement else -1.0


def closest(thing: AskedThing, objects: Sequence[Seen]) -> Seen | None:
    """The object that agrees best with a thing that is asked for; None where none agrees in colour or in shape."""
    best = max(objects, key=lambda one: (one.color == thing.color) + (one.shape == thing.shape), default=None)
    return best if best is not None and (best.color == thing.color or best.shape == thing.shape) else None
