"""Scenes drawn at random, or as wished."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from infra.demo.camera import CAMERA_SPEEDS, FOCAL, CameraMove
from infra.demo.paths import FLOOR_Y, Point, bounce, collide, fall, paint, rest, straight
from infra.demo.scene import Scene, Thing, relation_at_start, visible_share
from infra.demo.vocabulary import (
    BACKGROUNDS,
    CAMERAS,
    COLORS,
    DIRECTIONS,
    EVENTS,
    FLOORS,
    LIGHT_SIDES,
    OCCLUDERS,
    RELATIONS,
    SHAPES,
    SIZES,
    SPEEDS,
    STILL,
    is_held_out,
)

MAX_THINGS = 4
_TRIES = 60
_MIN_VISIBLE = 0.75
HIDING = {"wooden boards": ("brown",), "brick wall": ("brown",), "hills": ("green",), "night sky": ("blue",)}
"""Colours that are lost before a background."""
_EVENT_MOTIONS = {"fall": "falling", "bounce": "bouncing", "brush": "painting", "collision": "colliding"}

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a drawn scene must be like; None or empty for any."""

    camera: str = ""
    camera_speed: str = ""
    event: str = ""
    num_things: int = 0
    brightness: str = ""
    time: str = ""
    background: str = ""
    shape: str = ""
    """Of the subject."""
    color: str = ""
    motion: str = ""
    sizes: tuple[str, ...] = ()
    """That objects may have; empty for any."""
    split: str = "any"
    """`train`: nothing held out; `held_out`: the subject is held out; `any`."""


SCENES: Mapping[str, Wishes] = {
    "single": Wishes(camera="static", event="none", num_things=1, sizes=("medium", "large")),
    "all": Wishes(),
}
"""Kinds of scenes that films are drawn from; in one of `single` an object of some size is seen by a camera at rest."""


def draw_scene(rng: Rng, duration_s: float, aspect: float = 16 / 9, wishes: Wishes | None = None) -> Scene:
    """Draw a scene at random.

    Args:
        rng: Where everything comes from.
        duration_s: Of the shot.
        aspect: Width over height.
        wishes: What is not left to chance.

    Raises:
        ValueError: The wishes contradict each other.
    """
    wishes = wishes or Wishes()
    time = wishes.time or _pick(rng, ("day", "day", "day", "night"))
    background = wishes.background or _pick(rng, BACKGROUNDS[:-1] if time == "day" else ("night sky", *BACKGROUNDS[:3]))
    event = wishes.event or _pick(rng, ("none",) * 6 + EVENTS[1:])
    # Some wishes (a fast tilt over what falls) leave no such shot; the last try is as true as the others.
    for _ in range(_TRIES):
        things = _draw_things(rng, duration_s, aspect, event, wishes, HIDING.get(background, ()))
        camera = CameraMove(
            wishes.camera or _pick(rng, CAMERAS),
            wishes.camera_speed or _pick(rng, tuple(CAMERA_SPEEDS)),
            int(rng.integers(1 << 30)),
        )
        if visible_share(things[0], camera, duration_s, aspect) >= _MIN_VISIBLE:
            break
    brightness = wishes.brightness or _pick(
        rng, ("dim", "normal", "normal", "bright") if time == "day" else ("normal", "bright")
    )
    return Scene(
        duration_s=duration_s,
        aspect=aspect,
        things=things,
        relation=relation_at_start(things),
        event=event,
        background=background,
        floor=_pick(rng, FLOORS),
        light_side=_pick(rng, LIGHT_SIDES),
        brightness=brightness,
        light_change=_pick(rng, ("steady",) * 14 + ("dims", "brightens")),
        time=time,
        occluder=_pick(rng, ("none",) * 6 + OCCLUDERS[1:]),
        camera=camera,
        seed=int(rng.integers(1 << 30)),
    )


def _pick(rng: Rng, words: tuple[str, ...]) -> str:
    return words[int(rng.integers(len(words)))]


@dataclass(frozen=True, slots=True)
class _Frame:
    """The part of the world that the camera at rest sees, at depth 1."""

    width: float
    height: float

    @classmethod
    def of(cls, aspect: float) -> _Frame:
        return cls(math.sqrt(aspect) / FOCAL, 1 / math.sqrt(aspect) / FOCAL)

    @property
    def shorter(self) -> float:
        return min(self.width, self.height)

    def point(self, across: float, down: float, depth: float) -> Point:
        """A point of the world from shares of the picture, both -0.5 to 0.5."""
        return (across * self.width * depth, down * self.height * depth, depth)


@dataclass(frozen=True, slots=True)
class _Look:
    shape: str
    color: str
    size: str
    motion: str
    speed: str


def _draw_things(
    rng: Rng, duration_s: float, aspect: float, event: str, wishes: Wishes, hidden: tuple[str, ...]
) -> tuple[Thing, ...]:
    num = wishes.num_things or int(rng.choice((1, 1, 2, 2, 3, 4)))
    num = min(max(num, 2 if event == "collision" else 1), MAX_THINGS)
    looks: list[_Look] = []
    for index in range(num):
        looks.append(_draw_look(rng, index, event, wishes, (*hidden, *(look.color for look in looks))))
    relation = _pick(rng, RELATIONS) if num > 1 and event != "collision" else ""
    frame = _Frame.of(aspect)
    places = _places(rng, looks, relation, frame)
    things = [
        _thing(rng, look, place, event if index == 0 else "none", duration_s, frame)
        for index, (look, place) in enumerate(zip(looks, places, strict=True))
    ]
    if event == "collision":
        things[:2] = _colliding(rng, looks, places, duration_s, frame)
    return tuple(things)


def _draw_look(rng: Rng, index: int, event: str, wishes: Wishes, colors: tuple[str, ...]) -> _Look:
    """Draw an object whose colour is none of `colors`, but for a subject's that is wished for."""
    for _ in range(_TRIES * 10):
        motion = _pick(rng, (*DIRECTIONS, STILL)) if index == 0 else _pick(rng, (STILL,) * 3 + tuple(DIRECTIONS))
        if index == 0:
            motion = wishes.motion or motion
        if event != "none" and (index == 0 or (event == "collision" and index == 1)):
            motion = _EVENT_MOTIONS[event]
        elif event != "none":
            motion = STILL
        speed = "" if motion == STILL or motion in _EVENT_MOTIONS.values() else _pick(rng, tuple(SPEEDS))
        sizes = wishes.sizes or (tuple(SIZES) if event == "none" else ("small", "medium"))
        look = _Look(_pick(rng, SHAPES), _pick(rng, tuple(COLORS)), _pick(rng, sizes), motion, speed)
        if index == 0:
            look = _Look(wishes.shape or look.shape, wishes.color or look.color, look.size, motion, speed)
        held_out = is_held_out(look.shape, look.color, motion)
        wanted = wishes.split == "any" or held_out == (wishes.split == "held_out" and index == 0)
        if wanted and (look.color not in colors or (index == 0 and wishes.color)):
            return look
    raise ValueError(f"no object agrees with {wishes=} and {event=}")


def _places(rng: Rng, looks: list[_Look], relation: str, frame: _Frame) -> list[Point]:
    """Middles of the objects, apart in the picture save where one stands before another."""
    placed: list[Point] = []
    # Four large objects may find no room apart; then they overlap.
    for _ in range(_TRIES):
        placed = [frame.point(rng.uniform(-0.3, 0.3), rng.uniform(-0.28, 0.16), rng.uniform(5.6, 7.4)) for _ in looks]
        if relation:
            placed[0] = _related(placed[1], relation, looks, frame)
        if _apart(placed, looks, relation, frame):
            break
    return placed


def _related(second: Point, relation: str, looks: list[_Look], frame: _Frame) -> Point:
    """Where the first must stand to be in a relation to the second."""
    x, y, z = second
    gap = 0.5 * frame.shorter * z * (SIZES[looks[0].size] + SIZES[looks[1].size]) + 0.1 * frame.shorter * z
    match relation:
        case "left of":
            return (x - gap, y, z)
        case "right of":
            return (x + gap, y, z)
        case "above":
            return (x, y - gap, z)
        case "below":
            return (x, y + gap, z)
        case "in front of":
            return (0.8 * x + 0.25 * gap, 0.8 * y, 0.8 * z)
    return (1.2 * x + 0.45 * gap, 1.2 * y, 1.2 * z)


def _apart(places: list[Point], looks: list[_Look], relation: str, frame: _Frame) -> bool:
    """Whether all are in the picture and none hides another unasked."""
    spots = [(x / z, y / z) for x, y, z in places]
    halves = [SIZES[look.size] * frame.shorter / 2 for look in looks]
    for (x, y), half in zip(spots, halves, strict=True):
        if abs(x) + half > 0.47 * frame.width or y - half < -0.47 * frame.height or y + half > 0.4 * frame.height:
            return False
    for i in range(len(spots)):
        for j in range(i):
            if (j, i) == (0, 1) and relation in ("in front of", "behind"):
                continue
            if math.dist(spots[i], spots[j]) < 1.1 * (halves[i] + halves[j]):
                return False
    return True


def _thing(rng: Rng, look: _Look, place: Point, event: str, duration_s: float, frame: _Frame) -> Thing:
    height = SIZES[look.size] * frame.shorter * place[2]
    x, _, z = place
    path = rest(place)
    if event == "fall":
        path = fall((x, -0.3 * frame.height * z, z), height / 2, duration_s, bounciness=0.35, wait_s=0.18 * duration_s)
    elif event == "bounce":
        path = bounce((x, -0.25 * frame.height * z, z), height / 2, duration_s)
    elif event == "brush":
        way = (0.65 * frame.width * z, 0.3 * frame.height * z)
        path = paint((0.0, -0.08 * frame.height * z, z), *way, float(rng.uniform(0.6, 1.8)), duration_s)
    elif look.motion in DIRECTIONS:
        direction = DIRECTIONS[look.motion]
        reach = 0.7 * z * min(frame.width / max(abs(direction[0]), 1e-6), frame.height / max(abs(direction[1]), 1e-6))
        path = straight(place, direction, SPEEDS[look.speed] * frame.shorter * z, reach, duration_s)
    return Thing(
        shape=look.shape,
        color=look.color,
        size=look.size,
        height=height,
        motion=look.motion,
        speed=look.speed,
        path=path,
    )


def _colliding(rng: Rng, looks: list[_Look], places: list[Point], duration_s: float, frame: _Frame) -> list[Thing]:
    z = places[0][2]
    side = -1 if rng.random() < 0.5 else 1
    heights = [SIZES[look.size] * frame.shorter * z for look in looks[:2]]
    level = min(0.06 * frame.height * z, FLOOR_Y - max(heights) / 2)
    first = (side * 0.36 * frame.width * z, level, z)
    second = (-side * 0.04 * frame.width * z, level, z)
    paths = collide(first, second, 0.48 * sum(heights), 0.45 * frame.shorter * z, duration_s)
    return [
        Thing(
            shape=look.shape,
            color=look.color,
            size=look.size,
            height=height,
            motion=look.motion,
            speed=look.speed,
            path=path,
        )
        for look, height, path in zip(looks[:2], heights, paths, strict=True)
    ]
