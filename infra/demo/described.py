"""What is to be answered about a scene: the structured caption that a careful captioner would write, and its facts.

One scene has one description: objects are told from left to right and known by their colours, which differ within a
scene, so that a model can learn it and a program can check it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from captioner.structured import StructuredCaption, camera_sentence
from infra.demo.scene import Scene, Thing
from infra.demo.vocabulary import DIRECTIONS, STILL

_NUMBERS = ("no objects", "one object", "two objects", "three objects", "four objects")
_UNMOVED = {STILL: "stands still", "falling": "falls to the floor", "bouncing": "bounces on the floor"}
_OCCLUDER = {"post": "a post in front", "fence": "a fence in front", "branch": "a branch in front"}
_CHANGES = {"steady": "", "dims": ", growing darker", "brightens": ", growing brighter"}


@dataclass(frozen=True, slots=True)
class Description:
    """A scene in words."""

    structured: StructuredCaption
    facts: dict[str, list[str]]
    """Phrases that a right dense caption holds, by attribute, in small letters."""

    def to_json(self, uri: str) -> dict[str, Any]:
        """A line of a file of answers about the video at a uri."""
        return {"uri": uri, "structured": self.structured.model_dump(), "facts": self.facts}


def describe(scene: Scene) -> Description:
    """Say what a scene shows."""
    things = _left_to_right(scene)
    acts = [_act(scene, thing) for thing in things]
    names = [f"{thing.size} {thing.color} {thing.shape}" for thing in things]
    told = [f"the {thing.color} one {act}" for thing, act in zip(things, acts, strict=True)]
    number = _NUMBERS[len(things)]
    if len(things) == 1:
        subject, action = f"a {names[0]}", acts[0]
        moves = [f"{things[0].shape} {_without_speed(acts[0])}"]
    else:
        subject = f"{', '.join(f'a {name}' for name in names[:-1])} and a {names[-1]}"
        action = f"are in view; {', '.join(told)}"
        moves = [_without_speed(one) for one in told]
    occluder = [_OCCLUDER[scene.occluder]] if scene.occluder in _OCCLUDER else []
    floor = f" behind {scene.floor}" if scene.floor else ""
    structured = StructuredCaption(
        subject=subject,
        attributes=[number, *occluder],
        action=action,
        setting=f"{scene.background}{floor}, {'by night' if scene.time == 'night' else 'by day'}",
        camera=scene.camera.name,
        lighting=f"{scene.brightness} light from {_side(scene.light_side)}{_CHANGES[scene.light_change]}",
        style="miniature world of simple solid shapes",
        text="",
    )
    facts = {
        "shape": [f"{thing.color} {thing.shape}" for thing in things],
        "color": [thing.color for thing in things],
        "size": [f"{thing.size} {thing.color}" for thing in things],
        "number": [number],
        "motion": moves,
        "camera": [camera_sentence(scene.camera.name).rstrip(".").lower()],
        "background": [scene.background],
    }
    return Description(structured, facts)


def _left_to_right(scene: Scene) -> list[Thing]:
    """The objects by where they stand in the first picture."""
    matrix = scene.camera.pose(0.0, scene.duration_s).matrix((1000, 1000))

    def across(thing: Thing) -> float:
        spot = matrix @ np.append(thing.path.at(0.0), 1.0)
        return float(spot[0] / spot[2])

    return sorted(scene.things, key=across)


def _act(scene: Scene, thing: Thing) -> str:
    """What an object does."""
    if thing.motion in DIRECTIONS:
        # In one word, so that "moves up" is never a part of "moves up left".
        return f"moves {thing.motion.replace(' ', '-')} at {thing.speed} speed"
    if thing.motion == "painting":
        return f"paints a {thing.color} stroke"
    if thing.motion == "colliding":
        return f"runs into the {scene.things[1].color} one" if thing is scene.things[0] else "is pushed away"
    return _UNMOVED[thing.motion]


def _without_speed(act: str) -> str:
    return act.partition(" at ")[0]


def _side(light: str) -> str:
    return {"left": "the left", "right": "the right", "above": "above", "front": "the front"}[light]
