"""Scenes for what a drawn one shows too rarely, made of drawn scenes, of which none is changed by it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from infra.demo.camera import FOCAL, CameraMove
from infra.demo.captions import BITE, GO, SIZE_WORDS, SPEED_WORDS, STAND, WAYS
from infra.demo.draw import Wishes, draw_scene
from infra.demo.paths import Path3, rest
from infra.demo.scene import Bite, Scene, Thing
from infra.demo.shapes import bite_places
from infra.demo.vocabulary import SIZES

STAGED = ("turns", "return", "post", "bite")
"""A kind's place decides what its seeds give: new kinds come last."""
_TRAVEL = 0.28
"""How far each goes in its turn, in widths of the picture."""
_BITE_RADIUS = 0.28
"""In heights of the bitten."""
_BITE_SHARE = (0.11, 0.27)
"""Of the outline's area, that a bite takes."""
_MOVES = {"left": (-1.0, 0.0), "right": (1.0, 0.0), "up": (0.0, -1.0), "down": (0.0, 1.0)}

Rng = np.random.Generator


def stage(kind: str, seed: int, duration_s: float, aspect: float) -> tuple[Scene, str]:
    """A scene and its caption.

    Args:
        kind: `turns`: one object moves, and when it has stopped another one; `return`: the subject leaves the picture
            at a side and comes back; `post`: it passes behind a post; `bite`: a round piece is taken out of it.
        seed: Gives the same every time.
        duration_s: Of the shot.
        aspect: Width over height.

    Raises:
        ValueError: There is no such kind.
    """
    if kind not in STAGED:
        raise ValueError(f"nothing to stage: {kind!r}; there are {STAGED}")
    rng = np.random.default_rng((seed, 991, STAGED.index(kind)))
    wishes = Wishes(camera="static", event="none", num_things=2 if kind == "turns" else 1, motion="still", time="day")
    scene = draw_scene(rng, duration_s, aspect, wishes)
    scene = replace(scene, light_change="steady", occluder="none", camera=CameraMove("static"))
    stagings = {"turns": _turns, "return": _return, "post": _post, "bite": _bite}
    return stagings[kind](rng, scene)


def _turns(rng: Rng, scene: Scene) -> tuple[Scene, str]:
    """Two objects side by side; each goes away from the other or up or down, one after the other."""
    width, height = _sides(scene)
    things, said = [], []
    side = 1 if rng.random() < 0.5 else -1
    for index, thing in enumerate(scene.things[:2]):
        z, where = 6.2, side * (-1 if index == 0 else 1)
        way = ("right" if where > 0 else "left", "up", "down")[int(rng.integers(3))]
        start = np.array([0.2 * where * width * z, -0.06 * height * z, z])
        shorter = min(width, height)
        step = np.array([*_MOVES[way], 0.0]) * 0.24 * shorter * z
        begin, end = ((0.08, 0.42), (0.55, 0.92))[index]
        path = _line(start, start + step, begin * scene.duration_s, end * scene.duration_s)
        small = _resized(thing, "small" if shorter < 0.7 else "medium", shorter * z)
        things.append(replace(small, motion=way, speed="medium", path=path))
        go, speed = _pick(rng, GO), _pick(rng, SPEED_WORDS["medium"])
        said.append(f"{_name(rng, things[-1])} {go} {speed} {_pick(rng, WAYS[way])}")
    text = f"First a {said[0]}; then a {said[1]}."
    return replace(scene, things=tuple(things), event="turns", relation=""), text


def _return(rng: Rng, scene: Scene) -> tuple[Scene, str]:
    """The subject goes out at the left or the right and comes back to where it was."""
    width, height = _sides(scene)
    z, side = 6.2, 1 if rng.random() < 0.5 else -1
    inside = np.array([0.22 * side * width * z, -0.05 * height * z, z])
    thing = _resized(scene.things[0], "medium", min(width, height) * z)
    outside = inside.copy()
    outside[0] = side * (0.5 * width * z + 0.9 * thing.height)
    times = tuple(share * scene.duration_s for share in (0.12, 0.4, 0.6, 0.88))
    points = tuple((float(p[0]), float(p[1]), float(p[2])) for p in (inside, outside, outside, inside))
    thing = replace(thing, motion="returning", speed="", path=Path3(times, points))
    text = f"A {_name(rng, thing)} leaves the picture and comes back."
    return replace(scene, things=(thing,), event="return"), text


def _post(rng: Rng, scene: Scene) -> tuple[Scene, str]:
    """The subject crosses the picture behind a post."""
    width, height = _sides(scene)
    z, side = 6.2, 1 if rng.random() < 0.5 else -1
    reach = np.array([0.36 * width * z, 0.0, 0.0])
    middle = np.array([0.0, -0.05 * height * z, z])
    path = _line(middle - side * reach, middle + side * reach, 0.0, scene.duration_s)
    thing = _resized(scene.things[0], "small", min(width, height) * z)
    way = "right" if side > 0 else "left"
    thing = replace(thing, motion=way, speed="medium", path=path)
    text = f"A {_name(rng, thing)} moves {_pick(rng, SPEED_WORDS['medium'])} {_pick(rng, WAYS[way])}. "
    return replace(scene, things=(thing,), occluder="post"), text + "A post stands close to the camera."


def _bite(rng: Rng, scene: Scene) -> tuple[Scene, str]:
    """The subject, of some size, stands still; about half-way a round piece is gone from it, and stays so."""
    width, height = _sides(scene)
    z = 6.2
    place = (float(rng.uniform(-0.2, 0.2)) * width * z, float(rng.uniform(-0.16, 0.06)) * height * z, z)
    thing = _resized(scene.things[0], _pick(rng, ("medium", "large")), min(width, height) * z)
    spots = bite_places(thing.shape, _BITE_RADIUS, *_BITE_SHARE)
    x, y = spots[int(rng.integers(len(spots)))]
    bite = Bite(at_s=float(rng.uniform(0.35, 0.6)) * scene.duration_s, x=x, y=y, radius=_BITE_RADIUS)
    thing = replace(thing, speed="", path=rest(place), bite=bite)
    text = f"A {_name(rng, thing)} {_pick(rng, STAND)}; {_pick(rng, BITE)}."
    return replace(scene, things=(thing,), event="bite"), text


def _sides(scene: Scene) -> tuple[float, float]:
    """Width and height of what the camera sees at depth 1."""
    root = float(np.sqrt(scene.aspect))
    return root / FOCAL, 1 / root / FOCAL


def _resized(thing: Thing, size: str, shorter: float) -> Thing:
    return replace(thing, size=size, height=SIZES[size] * shorter)


def _line(start: np.ndarray, end: np.ndarray, begin_s: float, end_s: float) -> Path3:
    points = tuple((float(p[0]), float(p[1]), float(p[2])) for p in (start, end))
    return Path3((begin_s, end_s), points)


def _name(rng: Rng, thing: Thing) -> str:
    return f"{_pick(rng, SIZE_WORDS[thing.size])} {thing.color} {thing.shape}"


def _pick(rng: Rng, words: tuple[str, ...]) -> str:
    return words[int(rng.integers(len(words)))]
