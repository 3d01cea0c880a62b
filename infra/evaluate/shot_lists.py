"""Several shots of one subject: scenes to ask for, and whether the subject stays what it is from shot to shot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from infra.demo.draw import HIDING, SCENES
from infra.demo.scene import Scene
from infra.demo.vocabulary import BACKGROUNDS
from infra.evaluate.asked import AskedThing
from infra.evaluate.films import draw_visible
from infra.evaluate.match import closest
from infra.evaluate.objects import Seen

_BY_DAY = BACKGROUNDS[:-1]


def draw_shots(
    rng: np.random.Generator, seconds: Sequence[float], cuts: Sequence[bool], size: tuple[int, int], split: str
) -> list[Scene]:
    """Draw scenes of one subject: each goes on in the place of the one before, or after a cut in another place.

    Args:
        rng: Where everything comes from.
        seconds: Of each shot.
        cuts: Whether each begins with a cut.
        size: Width and height of the picture, in pixels.
        split: Of the first scene's subject, as in `Wishes`; in another motion it may be of another one.
    """
    wishes = replace(SCENES["single"], time="day", split=split)
    scenes = [_plain(draw_visible(rng, seconds[0], size, wishes))]
    subject = scenes[0].things[0]
    same = replace(wishes, color=subject.color, shape=subject.shape, sizes=(subject.size,), split="any")
    for length, is_cut in zip(seconds[1:], cuts[1:], strict=True):
        before = scenes[-1]
        others = [name for name in _BY_DAY if name != before.background and subject.color not in HIDING.get(name, ())]
        background = others[int(rng.integers(len(others)))] if is_cut else before.background
        scene = _plain(draw_visible(rng, length, size, replace(same, background=background)))
        if not is_cut:
            scene = replace(scene, floor=before.floor, light_side=before.light_side, brightness=before.brightness)
        scenes.append(scene)
    return scenes


def kept_subject(asked: AskedThing, shots: Sequence[Sequence[Seen]]) -> tuple[float, float]:
    """Whether a subject is what was asked for in several shots, and the same in all of them.

    Args:
        asked: The subject.
        shots: The objects that are seen in each shot.

    Returns:
        The share of shots that show its colour and its shape; and 1 where one object of one colour and one shape, the
        right ones or others, is in all of them, else 0.
    """
    found = [closest(asked, objects) for objects in shots]
    names = [None if one is None else (one.color, one.shape) for one in found]
    right = sum(name == (asked.color, asked.shape) for name in names) / len(names)
    return right, float(None not in names and len(set(names)) == 1)


def _plain(scene: Scene) -> Scene:
    return replace(scene, light_change="steady", occluder="none")
