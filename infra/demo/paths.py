"""How objects move: positions at any time, whatever the frame rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Point = tuple[float, float, float]
FLOOR_Y = 1.6
"""Height of the floor; y points down."""
GRAVITY = 5.5
"""Units per second squared: a miniature falls slowly."""
BRUSH_STEPS = 48


@dataclass(frozen=True, slots=True)
class Path3:
    """A polyline in time: `points[i]` at `times_s[i]`, at rest before and after."""

    times_s: tuple[float, ...]
    points: tuple[Point, ...]

    def at(self, time_s: float) -> npt.NDArray[np.float64]:
        """The position at a time, (3,)."""
        points = np.asarray(self.points)
        return np.array([np.interp(time_s, self.times_s, points[:, axis]) for axis in range(3)])

    def until(self, time_s: float) -> npt.NDArray[np.float64]:
        """All points passed up to a time, and the one then reached, (P, 3)."""
        passed = [point for at_s, point in zip(self.times_s, self.points, strict=True) if at_s < time_s]
        return np.array([*passed, self.at(time_s)])


def rest(point: Point) -> Path3:
    """Stand still."""
    return Path3((0.0,), (point,))


def straight(middle: Point, direction: tuple[float, float], speed: float, reach: float, duration_s: float) -> Path3:
    """Cross `middle` at a steady speed, at most `reach` in all, in the midst of the shot.

    Args:
        middle: Half-way.
        direction: Unit vector in x and y.
        speed: Units a second.
        reach: The longest way, in units; a shorter drive begins late and ends early.
        duration_s: Of the shot.
    """
    length = min(speed * duration_s, reach)
    wait = (duration_s - length / speed) / 2
    ends = [
        (middle[0] + s * direction[0] * length, middle[1] + s * direction[1] * length, middle[2]) for s in (-0.5, 0.5)
    ]
    return Path3((wait, wait + length / speed), (ends[0], ends[1]))


def fall(start: Point, radius: float, duration_s: float, *, bounciness: float, wait_s: float) -> Path3:
    """Drop to the floor after `wait_s`, and bounce there until it lies still or the shot ends.

    Args:
        start: Where it hangs.
        radius: Half its height, so that it rests on the floor.
        duration_s: Of the shot.
        bounciness: Speed after a contact over that before, 0 to 1.
        wait_s: How long it hangs.
    """
    step = 1 / 120
    floor = FLOOR_Y - radius
    x, y, z = start
    speed = 0.0
    times, points = [0.0, wait_s], [start, start]
    time_s = wait_s
    while time_s < duration_s:
        time_s += step
        speed += GRAVITY * step
        y += speed * step
        if y >= floor:
            y, speed = floor, -speed * bounciness
            if abs(speed) < 0.25:
                times.append(time_s)
                points.append((x, floor, z))
                break
        times.append(time_s)
        points.append((x, y, z))
    return Path3(tuple(times), tuple(points))


def bounce(start: Point, radius: float, duration_s: float) -> Path3:
    """Bounce on the floor to nearly the same height again and again."""
    return fall(start, radius, duration_s, bounciness=0.94, wait_s=0.0)


def collide(first: Point, second: Point, touch: float, speed: float, duration_s: float) -> tuple[Path3, Path3]:
    """The first runs into the second along x and stops; the second slides off and slows down.

    Args:
        first: Where the first begins.
        second: Where the second rests, at the same height and depth.
        touch: Distance of their middles at the contact.
        speed: Of the first, units a second.
        duration_s: Of the shot.
    """
    side = math.copysign(1.0, second[0] - first[0])
    way = abs(second[0] - first[0]) - touch
    wait = max(0.1 * duration_s, 0.45 * duration_s - way / speed)
    hit_s = wait + way / speed
    stop = (first[0] + side * way, first[1], first[2])
    one = Path3((wait, hit_s), (first, stop))
    slide_s = np.linspace(0, max(duration_s - hit_s, 0.2), 24)
    gone = 0.9 * speed * 0.9 * (1 - np.exp(-slide_s / 0.9))
    two = Path3(
        tuple(float(hit_s + t) for t in slide_s),
        tuple((second[0] + side * float(g), second[1], second[2]) for g in gone),
    )
    return one, two


def paint(middle: Point, width: float, height: float, turns: float, duration_s: float) -> Path3:
    """A brush's way: a wave from left to right through `middle`, in the middle four fifths of the shot."""
    share = np.linspace(0, 1, BRUSH_STEPS)
    times = duration_s * (0.1 + 0.8 * share)
    xs = middle[0] + width * (share - 0.5)
    ys = middle[1] + 0.5 * height * np.sin(2 * math.pi * turns * share)
    return Path3(tuple(map(float, times)), tuple((float(x), float(y), middle[2]) for x, y in zip(xs, ys, strict=True)))
