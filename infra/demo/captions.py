"""True captions of a scene, in varied words."""

from __future__ import annotations

from typing import Any

import numpy as np

from infra.demo.scene import Scene, Thing
from infra.demo.truth import Captions
from infra.demo.vocabulary import DIRECTIONS, STILL

Rng = np.random.Generator

SIZE_WORDS = {
    "small": ("small", "little", "tiny"),
    "medium": ("medium-sized", "mid-sized"),
    "large": ("large", "big"),
}
SPEED_WORDS = {
    "slow": ("slowly", "gently"),
    "medium": ("steadily", "at an even pace"),
    "fast": ("quickly", "fast"),
}
WAYS = {
    "left": ("to the left", "leftwards"),
    "right": ("to the right", "rightwards"),
    "up": ("upwards", "straight up"),
    "down": ("downwards", "straight down"),
    "up left": ("up and to the left", "diagonally towards the upper left"),
    "up right": ("up and to the right", "diagonally towards the upper right"),
    "down left": ("down and to the left", "diagonally towards the lower left"),
    "down right": ("down and to the right", "diagonally towards the lower right"),
}
GO = ("moves", "drifts", "glides", "travels")
STAND = ("stands still", "stays in place", "does not move")
BITE = ("a bite is taken out of it and stays", "a round piece is bitten out of it for good")
RELATION_WORDS = {
    "left of": ("to the left of", "left of"),
    "right of": ("to the right of", "right of"),
    "above": ("above", "higher than"),
    "below": ("below", "underneath"),
    "in front of": ("in front of", "before"),
    "behind": ("behind", "at the back of"),
}
CAMERA_WORDS = {
    "static": ("The camera does not move", "A static camera", "The camera is locked off"),
    "pan left": ("The camera pans left", "The view pans to the left"),
    "pan right": ("The camera pans right", "The view pans to the right"),
    "tilt up": ("The camera tilts up", "The view tilts upwards"),
    "tilt down": ("The camera tilts down", "The view tilts downwards"),
    "zoom in": ("The camera zooms in", "The lens zooms in"),
    "zoom out": ("The camera zooms out", "The lens zooms out"),
    "dolly in": ("The camera dollies in", "The camera rolls forward into the scene"),
    "dolly out": ("The camera dollies out", "The camera rolls back from the scene"),
    "truck left": ("The camera trucks left", "The camera slides sideways to the left"),
    "truck right": ("The camera trucks right", "The camera slides sideways to the right"),
    "pedestal up": ("The camera pedestals up", "The camera rises straight up"),
    "pedestal down": ("The camera pedestals down", "The camera sinks straight down"),
    "orbit": ("The camera orbits around the scene", "The camera circles the scene"),
    "handheld": ("The camera is handheld and shakes", "A shaky handheld camera"),
}
OCCLUDER_WORDS = {
    "post": ("A post stands close to the camera", "A wooden post covers part of the view"),
    "fence": ("A low iron fence runs along the front", "The view is over an iron fence"),
    "branch": ("A leafy branch hangs into the view", "Leaves on a branch hang at the top"),
}
_WITHOUT_ARTICLE = ("sand", "grass", "hills", "wooden boards")
NUMBER_WORDS = {2: "two", 3: "three", 4: "four"}


def caption(scene: Scene) -> Captions:
    """The captions of a scene; its seed draws their wording."""
    rng = np.random.default_rng((scene.seed, 5))
    names = [_name(rng, thing) for thing in scene.things]
    return Captions(short=_short(rng, scene, names), dense=_dense(rng, scene, names), structured=structured(scene))


def structured(scene: Scene) -> dict[str, Any]:
    """What a scene shows, field by field, in the world's own words."""
    subject = scene.things[0]
    objects = [
        {
            "shape": thing.shape,
            "color": thing.color,
            "size": thing.size,
            "motion": thing.motion,
            "speed": thing.speed,
        }
        for thing in scene.things
    ]
    return {
        "subject": f"{subject.size} {subject.color} {subject.shape}",
        "objects": objects,
        "relation": scene.relation,
        "action": _plain_action(subject),
        "event": scene.event,
        "setting": {
            "background": scene.background,
            "floor": scene.floor,
            "time": scene.time,
            "occluder": scene.occluder,
        },
        "camera": {
            "motion": scene.camera.name,
            "speed": "" if scene.camera.name == "static" else scene.camera.speed,
        },
        "lighting": {"from": scene.light_side, "brightness": scene.brightness, "change": scene.light_change},
        "style": "miniature world, simple solid shapes",
    }


def _pick(rng: Rng, words: tuple[str, ...]) -> str:
    return words[int(rng.integers(len(words)))]


def _name(rng: Rng, thing: Thing) -> str:
    return f"{_pick(rng, SIZE_WORDS[thing.size])} {thing.color} {thing.shape}"


def _article(phrase: str) -> str:
    if phrase in _WITHOUT_ARTICLE:
        return phrase
    return f"an {phrase}" if phrase[0] in "aeiou" else f"a {phrase}"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _plain_action(thing: Thing) -> str:
    if thing.motion in DIRECTIONS:
        return f"moves {thing.motion} at {thing.speed} speed"
    return {
        STILL: "stands still",
        "falling": "falls to the floor",
        "bouncing": "bounces on the floor",
        "painting": "paints a stroke",
        "colliding": "runs into another object",
    }[thing.motion]


def _action(rng: Rng, scene: Scene, names: list[str]) -> str:
    subject = scene.things[0]
    match subject.motion:
        case "falling":
            return _pick(rng, ("falls to the floor", "drops and comes to rest on the floor"))
        case "bouncing":
            return _pick(rng, ("bounces on the floor", "keeps bouncing up and down"))
        case "painting":
            verb = _pick(rng, ("paints", "leaves", "draws"))
            return f"{verb} {_article(subject.color)} stroke that stays"
        case "colliding":
            hit = _pick(rng, ("runs into", "hits", "bumps into"))
            return f"{hit} {_article(names[1])} and pushes it away"
        case "still":
            return _pick(rng, STAND)
    return f"{_pick(rng, GO)} {_pick(rng, SPEED_WORDS[subject.speed])} {_pick(rng, WAYS[subject.motion])}"


def _short(rng: Rng, scene: Scene, names: list[str]) -> str:
    text = f"{_article(names[0])} {_action(rng, scene, names)}"
    if rng.random() < 0.5:
        text += f" in front of {_article(scene.background)}"
    if scene.camera.name != "static" and rng.random() < 0.6:
        camera = _pick(rng, CAMERA_WORDS[scene.camera.name])
        text += f"; {camera[0].lower()}{camera[1:]}"
    return _sentence(text)


def _dense(rng: Rng, scene: Scene, names: list[str]) -> str:
    parts = [_setting(rng, scene), _subject(rng, scene, names)]
    parts += _others(rng, scene, names)
    camera = _pick(rng, CAMERA_WORDS[scene.camera.name])
    if scene.camera.name not in ("static", "handheld"):
        camera += f" {_pick(rng, SPEED_WORDS[scene.camera.speed])}"
    parts.append(camera)
    if scene.occluder != "none":
        parts.append(_pick(rng, OCCLUDER_WORDS[scene.occluder]))
    parts.append(_light(rng, scene))
    return " ".join(_sentence(part) for part in parts)


def _setting(rng: Rng, scene: Scene) -> str:
    count = len(scene.things)
    what = _pick(rng, ("a single object", "one object")) if count == 1 else f"{NUMBER_WORDS[count]} objects"
    floor = _article(scene.floor)
    rise = "rise" if scene.background in _WITHOUT_ARTICLE else "rises"
    when = "" if scene.time == "day" else _pick(rng, (" at night", ", at night"))
    return _pick(
        rng,
        (
            f"a miniature scene with {what} over {floor} and {_article(scene.background)}{when}",
            f"{what} over {floor}, with {_article(scene.background)} at the back{when}",
            f"{_article(scene.background)} {rise} behind {floor}{when}, with {what} before it",
        ),
    )


def _subject(rng: Rng, scene: Scene, names: list[str]) -> str:
    text = f"{_article(names[0])} {_action(rng, scene, names)}"
    if scene.relation and scene.event != "collision":
        text += f"; at first it is {_pick(rng, RELATION_WORDS[scene.relation])} {_article(names[1])}"
    return text


def _others(rng: Rng, scene: Scene, names: list[str]) -> list[str]:
    parts = []
    for thing, name in list(zip(scene.things, names, strict=True))[1:]:
        if thing.motion in DIRECTIONS:
            way = f"{_pick(rng, SPEED_WORDS[thing.speed])} {_pick(rng, WAYS[thing.motion])}"
            parts.append(f"the {name} {_pick(rng, GO)} {way}")
        elif thing.motion == STILL:
            parts.append(f"the {name} {_pick(rng, STAND)}")
    return parts


def _light(rng: Rng, scene: Scene) -> str:
    side = {
        "left": "from the left",
        "right": "from the right",
        "above": "from above",
        "front": "from the front",
    }[scene.light_side]
    strength = {"dark": "very dark", "dim": "dim", "normal": "even", "bright": "bright"}[scene.brightness]
    change = {
        "steady": ("",),
        "dims": ("; it grows darker", ", then it dims"),
        "brightens": ("; it grows brighter", ", then it brightens"),
    }[scene.light_change]
    steady = _pick(rng, (f"the light is {strength} and comes {side}", f"{strength} light {side}"))
    return steady + _pick(rng, change)
