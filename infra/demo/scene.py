"""What one shot shows: drawn at random, and known exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from infra.demo.camera import CAMERA_SPEEDS, FOCAL, CameraMove
from infra.demo.paths import FLOOR_Y, Path3, Point, bounce, collide, fall, paint, rest, straight
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

WALL_Z = 11.0
MAX_THINGS = 4
_TRIES = 60
_MIN_VISIBLE = 0.75
_EVENT_MOTIONS = {"fall": "falling", "bounce": "bouncing", "brush": "painting", "collision": "colliding"}

Rng = np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """An object of a scene."""

    shape: str
    color: str
    size: str
    height: float
    """In the world's units."""
    motion: str
    """A direction, `still`, or what an event makes it do."""
    speed: str
    """A key of `SPEEDS`; empty for what stands still."""
    path: Path3

    @property
    def held_out(self) -> bool:
        """Whether training footage never shows it."""
        return is_held_out(self.shape, self.color, self.motion)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that a shot shows."""

    duration_s: float
    aspect: float
    """Width over height of the picture it was laid out for."""
    things: tuple[Thing, ...]
    """The subject first."""
    relation: str
    """Where the first stands as seen from the second, at the start; empty with one object."""
    event: str
    background: str
    floor: str
    """Empty where the background reaches down."""
    light_side: str
    brightness: str
    time: str
    occluder: str
    camera: CameraMove
    seed: int
    """Of textures, grain and wording."""

    @property
    def held_out(self) -> bool:
        """Whether any of its objects is kept for evaluation."""
        return any(thing.held_out for thing in self.things)


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
    split: str = "any"
    """`train`: nothing held out; `held_out`: the subject is held out; `any`."""


def draw_scene(rng: Rng, duration_s: float, aspect: float = 16 / 9, wishes: Wishes = Wishes()) -> Scene:  # noqa: B008
    """Draw a scene at random.

    Args:
        rng: Where everything comes from.
        duration_s: Of the shot.
        aspect: Width over height.
        wishes: What is not left to chance.

    Raises:
        ValueError: The wishes contradict each other.
    """
    time = wishes.time or _pick(rng, ("day", "day", "day", "night"))
    background = wishes.background or _pick(rng, BACKGROUNDS[:-1] if time == "day" else ("night sky", *BACKGROUNDS[:3]))
    event = wishes.event or _pick(rng, ("none",) * 6 + EVENTS[1:])
    for _ in range(_TRIES):
        things = _draw_things(rng, duration_s, aspect, event, wishes)
        camera = CameraMove(
            wishes.camera or _pick(rng, CAMERAS),
            wishes.camera_speed or _pick(rng, tuple(CAMERA_SPEEDS)),
            int(rng.integers(1 << 30)),
        )
        if visible_share(things[0], camera, duration_s, aspect) >= _MIN_VISIBLE:
            break
    brightness = wishes.brightness or _pick(rng, ("dim", "normal", "normal", "bright") if time == "day" else ("normal", "bright"))
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
        time=time,
        occluder=_pick(rng, ("none",) * 6 + OCCLUDERS[1:]),
        camera=camera,
        seed=int(rng.integers(1 << 30)),
    )


def visible_share(thing: Thing, camera: CameraMove, duration_s: float, aspect: float) -> float:
    """The share of the shot during which the middle of an object is well inside the picture."""
    size = (round(1000 * math.sqrt(aspect)), round(1000 / math.sqrt(aspect)))
    inside = 0
    times = np.linspace(0, duration_s, 21)
    for time_s in map(float, times):
        spot = camera.pose(time_s, duration_s).matrix(size) @ np.append(thing.path.at(time_s), 1)
        across, down = spot[:2] / spot[2] / size
        inside += bool(spot[2] > 0 and 0.04 < across < 0.96 and 0.04 < down < 0.96)
    return inside / len(times)


def relation_at_start(things: tuple[Thing, ...]) -> str:
    """Where the first object stands as seen from the second at the start; empty where no word is plainly true."""
    if len(things) < 2:
        return ""
    (x0, y0, z0), (x1, y1, z1) = (thing.path.at(0.0) for thing in things[:2])
    across, down = x0 / z0 - x1 / z1, y0 / z0 - y1 / z1
    touch = 0.5 * (things[0].height / z0 + things[1].height / z1)
    if math.hypot(across, down) < 0.8 * touch:
        return ("in front of" if z0 < z1 else "behind") if abs(z0 - z1) > 0.4 else ""
    if abs(across) > 1.7 * abs(down):
        return "left of" if across < 0 else "right of"
    if abs(down) > 1.7 * abs(across):
        return "above" if down < 0 else "below"
    return ""


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
    rng: Rng, duration_s: float, aspect: float, event: str, wishes: Wishes
) -> tuple[Thing, ...]:
    num = wishes.num_things or int(rng.choice((1, 1, 2, 2, 3, 4)))
    num = min(max(num, 2 if event == "collision" else 1), MAX_THINGS)
    looks: list[_Look] = []
    for index in range(num):
        looks.append(_draw_look(rng, index, event, wishes, looks))
    relation = _pick(rng, RELATIONS) if num > 1 and event != "collision" else ""
    frame = _Frame.of(aspect)
    places = _places(rng, looks, relation, frame)
    things = [_thing(rng, look, place, event if index == 0 else "none", duration_s, frame)
              for index, (look, place) in enumerate(zip(looks, places, strict=True))]
    if event == "collision":
        things[:2] = _colliding(rng, looks, places, duration_s, frame)
    return tuple(things)


def _draw_look(rng: Rng, index: int, event: str, wishes: Wishes, others: list[_Look]) -> _Look:
    for _ in range(_TRIES * 10):
        motion = _pick(rng, (*DIRECTIONS, STILL)) if index == 0 else _pick(rng, (STILL,) * 3 + tuple(DIRECTIONS))
        if index == 0:
            motion = wishes.motion or motion
        if event != "none" and (index == 0 or event == "collision" and index == 1):
            motion = _EVENT_MOTIONS[event]
        elif event != "none":
            motion = STILL
        speed = "" if motion == STILL or motion in _EVENT_MOTIONS.values() else _pick(rng, tuple(SPEEDS))
        sizes = tuple(SIZES) if event == "none" else ("small", "medium")
        look = _Look(_pick(rng, SHAPES), _pick(rng, tuple(COLORS)), _pick(rng, sizes), motion, speed)
        if index == 0:
            look = _Look(wishes.shape or look.shape, wishes.color or look.color, look.size, motion, speed)
        held_out = is_held_out(look.shape, look.color, motion)
        wanted = wishes.split == "any" or held_out == (wishes.split == "held_out" and index == 0)
        unlike = all(look.color != other.color for other in others)
        if wanted and unlike:
            return look
    raise ValueError(f"no object agrees with {wishes=} and {event=}")


def _places(rng: Rng, looks: list[_Look], relation: str, frame: _Frame) -> list[Point]:
    """Middles of the objects, apart in the picture save where one stands before another."""
    placed: list[Point] = []
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
    x, y, z = place
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
        reach = 0.7 * z * min(
            frame.width / max(abs(direction[0]), 1e-6), frame.height / max(abs(direction[1]), 1e-6)
        )
        path = straight(place, direction, SPEEDS[look.speed] * frame.shorter * z, reach, duration_s)
    return Thing(
        shape=look.shape, color=look.color, size=look.size, height=height, motion=look.motion, speed=look.speed, path=path
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
        Thing(shape=look.shape, color=look.color, size=look.size, height=height, motion=look.motion, speed=look.speed, path=path)
        for look, height, path in zip(looks[:2], heights, paths, strict=True)
    ]
