"""What one shot shows, and what is true of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from infra.demo.camera import CameraMove
from infra.demo.paths import Path3
from infra.demo.shapes import Outline, bitten, outline
from infra.demo.vocabulary import is_held_out

WALL_Z = 11.0
"""How far away the wall at the back stands; the camera at rest is at 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bite:
    """A round piece that is taken out of an object's outline, for good."""

    at_s: float
    """When, from the start of the shot."""
    x: float
    """Its middle, from the object's middle, in the object's heights."""
    y: float
    radius: float
    """In the object's heights."""


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
    bite: Bite | None = None

    @property
    def held_out(self) -> bool:
        """Whether training footage never shows it."""
        return is_held_out(self.shape, self.color, self.motion)

    def outline_at(self, time_s: float) -> Outline:
        """Its outline at a time of the shot, in its heights, (P, 2)."""
        if self.bite is None or time_s < self.bite.at_s:
            return outline(self.shape)
        return bitten(self.shape, self.bite.x, self.bite.y, self.bite.radius)


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
    light_change: str
    """A key of `LIGHT_CHANGES`: what happens to the light in the course of the shot."""
    time: str
    occluder: str
    camera: CameraMove
    seed: int
    """Of textures, grain and wording."""
    sign: str = ""
    """A few letters on a board on the wall."""

    @property
    def held_out(self) -> bool:
        """Whether any of its objects is kept for evaluation."""
        return any(thing.held_out for thing in self.things)


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
    """Where the first object stands as seen from the second at first; empty where no word is plainly true."""
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
