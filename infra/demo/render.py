"""Pictures of a scene: wall and floor, prisms, shadows, strokes and occluders under a pinhole camera."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from infra.demo.camera import FOCAL, Matrix
from infra.demo.encode import Image
from infra.demo.occluders import occluders
from infra.demo.overlay import words
from infra.demo.paths import FLOOR_Y
from infra.demo.scene import WALL_Z, Scene, Thing
from infra.demo.textures import Paint, surface
from infra.demo.vocabulary import BRIGHTNESS, COLORS, LIGHT_CHANGES

Points = npt.NDArray[np.float64]
Color = tuple[float, float, float]

SHIFT = 4
"""Binary digits after the point in the coordinates of polygons."""
THICKNESS = 0.22
"""Depth of an object over its height."""
DAY = (1.0, 1.0, 1.0)
NIGHT = (0.60, 0.64, 0.84)
"""Gain on red, green and blue at night."""
NEAR = 0.15
"""Nothing nearer than this is drawn."""
_SIDES = {"left": (-0.8, -0.3), "right": (0.8, -0.3), "above": (0.0, -1.0), "front": (0.0, -0.2)}


def render_shot(
    scene: Scene, size: tuple[int, int], times_s: Sequence[float] | None = None, *, rate: Fraction | int = 25
) -> Iterator[Image]:
    """Render a shot.

    Args:
        scene: What it shows.
        size: Width and height in pixels.
        times_s: When, from the start of the shot; None for all frames of its duration at `rate`.
        rate: Frames a second where `times_s` is None.

    Yields:
        (H, W, 3) uint8 RGB.
    """
    if times_s is None:
        times_s = [index / float(rate) for index in range(max(1, round(scene.duration_s * float(rate))))]
    stage = Stage(scene, size)
    for index, time_s in enumerate(times_s):
        yield stage.picture(time_s, index)


class Stage:
    """A scene with its surfaces painted, ready to be looked at."""

    def __init__(self, scene: Scene, size: tuple[int, int]) -> None:
        self.scene = scene
        self.size = size
        rng = np.random.default_rng(scene.seed)
        self._gain = np.array(NIGHT if scene.time == "night" else DAY, np.float32) * np.float32(
            BRIGHTNESS[scene.brightness]
        )
        self._wall = self._paint_wall(rng)
        self._floor = self._paint_floor(rng)
        self._occluders = occluders(scene.occluder, rng, scene.aspect)
        self._grain = _grain(rng, size, 5.0 if scene.brightness == "dark" else 1.5)
        self._skirting = _mean_color(self._floor[0][:1], 0.62)

    def picture(self, time_s: float, index: int = 0) -> Image:
        """The picture at a time.

        Args:
            time_s: From the start of the shot.
            index: Number of the frame, which only the grain depends on.
        """
        camera = self.scene.camera.pose(time_s, self.scene.duration_s).matrix(self.size)
        canvas = self._backdrop(camera)
        things = [(thing, thing.path.at(time_s)) for thing in self.scene.things]
        for thing, place in things:
            self._shadow(canvas, camera, thing, place)
        if self.scene.event == "brush":
            self._stroke(canvas, camera, self.scene.things[0], time_s)
        for thing, place in sorted(things, key=lambda pair: -float(pair[1][2])):
            self._prism(canvas, camera, thing.outline_at(time_s) * thing.height, thing, place)
        for flat in self._occluders:
            _fill(canvas, _project(camera, flat.points), self._lit(flat.color))
        return self._grained(self._changed_light(canvas, time_s), index)

    def _lit(self, color: Sequence[float], shade: float = 1.0) -> Color:
        red, green, blue = np.clip(np.asarray(color) * self._gain * shade, 0, 255)
        return float(red), float(green), float(blue)

    def _rays(self) -> tuple[Points, Points]:
        """Camera centres and directions through the corners of the picture, over the shot, (N, 3) each."""
        width, height = self.size
        corners = np.array([(x, y, 1) for x in (-0.5, width - 0.5) for y in (-0.5, height - 0.5)])
        centres, rays = [], []
        for time_s in np.linspace(0, self.scene.duration_s, 25):
            matrix = self.scene.camera.pose(float(time_s), self.scene.duration_s).matrix(self.size)
            inverse = np.linalg.inv(matrix[:, :3])
            centres.append(np.repeat(-(inverse @ matrix[:, 3])[None], 4, axis=0))
            rays.append(corners @ inverse.T)
        return np.concatenate(centres), np.concatenate(rays)

    def _paint_wall(self, rng: np.random.Generator) -> tuple[Image, Matrix]:
        """The wall's texture, and the matrix from its pixels to the world (4x3)."""
        centres, rays = self._rays()
        hits = centres + rays * ((WALL_Z - centres[:, 2]) / rays[:, 2])[:, None]
        x0, x1 = float(hits[:, 0].min()) - 0.5, float(hits[:, 0].max()) + 0.5
        y0, y1 = max(float(hits[:, 1].min()) - 0.5, -16.0), FLOOR_Y
        density = FOCAL * math.sqrt(self.size[0] * self.size[1]) / WALL_Z
        paint = surface(self.scene.background, rng, x1 - x0, max(y1 - y0, 1.0), density)
        if self.scene.sign:
            _hang_sign(paint, self.scene.sign, rng, (-x0 * density, -y0 * density), density)
        return self._light(paint), _plane((x0, y0, WALL_Z), (1 / density, 0, 0), (0, 1 / density, 0))

    def _paint_floor(self, rng: np.random.Generator) -> tuple[Image, Matrix]:
        """The floor's texture, its rows from far to near, and the matrix from its pixels to the world."""
        centres, rays = self._rays()
        down = rays[:, 1] > 1e-6
        reach = np.where(down, (FLOOR_Y - centres[:, 1]) / np.where(down, rays[:, 1], 1), np.inf)
        hits = centres + rays * np.minimum(reach, (WALL_Z - centres[:, 2]) / rays[:, 2])[:, None]
        x0, x1 = float(hits[:, 0].min()) - 0.5, float(hits[:, 0].max()) + 0.5
        near = max(min(float(hits[:, 2].min()) - 0.3, WALL_Z - 1.5), 1.0)
        focal = FOCAL * math.sqrt(self.size[0] * self.size[1])
        across = min(focal / (near + 1.5), 9000 / (x1 - x0))
        along = min(across, focal * FLOOR_Y / (near + 1.0) ** 2 * 1.6)
        paint = surface(self.scene.floor, rng, x1 - x0, WALL_Z - near, across)
        rows = max(round((WALL_Z - near) * along), 8)
        paint = np.asarray(cv2.resize(paint, (paint.shape[1], rows), interpolation=cv2.INTER_AREA), np.float32)
        paint = _soften_far(paint, along / (focal * FLOOR_Y / WALL_Z**2), across / (focal / WALL_Z))
        step = (WALL_Z - near) / rows
        return self._light(paint), _plane((x0, FLOOR_Y, WALL_Z), (1 / across, 0, 0), (0, 0, -step))

    def _light(self, paint: Paint) -> Image:
        """The surface under the scene's light, brighter towards its side."""
        height, width = paint.shape[:2]
        x = np.linspace(-1, 1, width, dtype=np.float32)[None, :, None]
        y = np.linspace(-1, 1, height, dtype=np.float32)[:, None, None]
        dx, dy = _SIDES[self.scene.light_side]
        if self.scene.light_side == "front":
            fall_off = 1.06 - 0.16 * (x * x + y * y)
        else:
            fall_off = 1 + 0.2 * (dx * x + dy * y)
        return np.asarray(np.clip(paint * fall_off * self._gain, 0, 255), np.uint8)

    def _backdrop(self, camera: Matrix) -> Image:
        """Wall above, floor below, and the skirting where they meet."""
        width, height = self.size
        wall, wall_plane = self._wall
        floor, floor_plane = self._floor
        ends = _junction(camera, width)
        canvas = np.empty((height, width, 3), np.uint8)
        top = int(np.clip(math.floor(min(ends)) - 1, 0, height))
        bottom = int(np.clip(math.ceil(max(ends)) + 2, 0, height))
        if bottom > 0:
            canvas[:bottom] = _warp(wall, camera @ wall_plane, (width, bottom), 0)
        if top < height:
            below = _warp(floor, camera @ floor_plane, (width, height - top), top)
            line = np.linspace(ends[0], ends[1], width)
            rows = np.arange(top, bottom)
            is_floor = rows[:, None] >= line[None]
            overlap = bottom - top
            canvas[top:bottom][is_floor] = below[:overlap][is_floor]
            canvas[bottom:] = below[overlap:]
        corners = np.array(
            [
                (-8.0, ends[0] - 8 * (ends[1] - ends[0]) / width),
                (width + 7.0, ends[1] + 8 * (ends[1] - ends[0]) / width),
            ]
        )
        half = 0.002 * math.sqrt(width * height) + 0.6
        band = np.concatenate([corners - (0, half), corners[::-1] + np.array((0, half))])
        _fill(canvas, band, self._skirting)
        return canvas

    def _shadow(self, canvas: Image, camera: Matrix, thing: Thing, place: Points) -> None:
        """A soft-edged dark patch on the floor below an object."""
        lift = max(FLOOR_Y - float(place[1]) - thing.height / 2, 0.0)
        angle = np.linspace(0, 2 * math.pi, 24, endpoint=False)
        dx = -_SIDES[self.scene.light_side][0] * 0.3 * lift
        radius = thing.height * (0.45 + 0.1 * lift)
        ring = np.stack(
            [
                place[0] + dx + radius * np.cos(angle),
                np.full(24, FLOOR_Y),
                place[2] + 0.1 + 0.5 * radius * np.sin(angle),
            ],
            axis=1,
        )
        ring[:, 2] = np.minimum(ring[:, 2], WALL_Z)
        spot = _project(camera, ring)
        if spot is None:
            return
        _darken(canvas, spot, 0.42 / (1 + 0.9 * lift))

    def _stroke(self, canvas: Image, camera: Matrix, brush: Thing, time_s: float) -> None:
        """The paint that a brush has left so far, just behind it."""
        points = brush.path.until(time_s)
        if len(points) < 2:
            return
        points = points + np.array((0, 0, THICKNESS * brush.height))
        half = 0.2 * brush.height
        color = self._lit(COLORS[brush.color], 0.82)
        for start, end in pairwise(points):
            along = (end - start) / max(float(np.linalg.norm(end - start)), 1e-9)
            across = half * np.array([-along[1], along[0], 0])
            a, b = start - along * half * 0.5, end + along * half * 0.5
            _fill(canvas, _project(camera, np.array([a + across, b + across, b - across, a - across])), color)

    def _prism(self, canvas: Image, camera: Matrix, shape: Points, thing: Thing, place: Points) -> None:
        """An object: its sides in shade, a bevel, its face."""
        zeros = np.zeros((len(shape), 1))
        front = np.concatenate([shape, zeros], axis=1) + place
        back = front + np.array((0, 0, THICKNESS * thing.height))
        color = COLORS[thing.color]
        near, far = _project(camera, front), _project(camera, back)
        if near is None or far is None:
            return
        light = np.array(_SIDES[self.scene.light_side])
        _fill(canvas, far, self._lit(color, 0.5))
        after = np.roll(shape, -1, axis=0) - shape
        normals = np.stack([after[:, 1], -after[:, 0]], axis=1) / np.linalg.norm(after, axis=1, keepdims=True)
        shades = 0.5 + 0.22 * np.clip(normals @ light, 0, None)
        following = np.roll(np.arange(len(shape)), -1)
        for i, j in enumerate(following):
            _fill(canvas, np.array([near[i], near[j], far[j], far[i]]), self._lit(color, float(shades[i])))
        _fill(canvas, near, self._lit(color, 0.78))
        inner = _project(camera, (front - place) * 0.9 + place)
        if inner is not None:
            _fill(canvas, inner, self._lit(color, 1.04))

    def _changed_light(self, canvas: Image, time_s: float) -> Image:
        """The picture as the light has become by then."""
        if self.scene.light_change == "steady":
            return canvas
        start, end = LIGHT_CHANGES[self.scene.light_change]
        share = min(max(3 * time_s / self.scene.duration_s - 1, 0.0), 1.0)
        return np.asarray(cv2.convertScaleAbs(canvas, alpha=start + (end - start) * share), np.uint8)

    def _grained(self, canvas: Image, index: int) -> Image:
        """The picture with the sensor's noise."""
        rng = np.random.default_rng((self.scene.seed, index))
        width, height = self.size
        for grain, add in ((self._grain[0], cv2.add), (self._grain[1], cv2.subtract)):
            y, x = (
                int(rng.integers(grain.shape[0] - height + 1)),
                int(rng.integers(grain.shape[1] - width + 1)),
            )
            add(canvas, grain[y : y + height, x : x + width], dst=canvas)
        return canvas


def _hang_sign(paint: Paint, letters: str, rng: np.random.Generator, origin: tuple[float, float], unit: float) -> None:
    """Put a board with letters on a wall, near the middle of the view; lengths in pixels."""
    ink = words(letters, "bold", max(6.0, float(rng.uniform(0.32, 0.5)) * unit))
    pad = max(3, round(0.5 * ink.shape[0]))
    board = np.pad(ink, pad)[..., None].astype(np.float32) / 255
    ground, color = ((60.0, 70.0, 84.0), (214.0, 210.0, 196.0))[:: 1 if rng.random() < 0.5 else -1]
    x = round(origin[0] + float(rng.uniform(-3.0, 1.5)) * unit)
    y = round(origin[1] - float(rng.uniform(0.6, 2.2)) * unit)
    x, y = max(0, min(x, paint.shape[1] - board.shape[1])), max(0, min(y, paint.shape[0] - board.shape[0]))
    spot = paint[y : y + board.shape[0], x : x + board.shape[1]]
    board = board[: spot.shape[0], : spot.shape[1]]
    spot[:] = np.array(ground, np.float32) * (1 - board) + np.array(color, np.float32) * board


def _grain(rng: np.random.Generator, size: tuple[int, int], deviation: float) -> tuple[Image, Image]:
    """Two sheets of noise, larger than the picture: one to add and one to take away."""
    shape = (size[1] + 32, size[0] + 32, 3)
    sheets = [np.abs(rng.standard_normal(shape, dtype=np.float32)) * np.float32(0.8 * deviation) for _ in range(2)]
    return np.asarray(np.round(sheets[0]), np.uint8), np.asarray(np.round(sheets[1]), np.uint8)


def _mean_color(picture: Image, gain: float) -> Color:
    red, green, blue = gain * picture.reshape(-1, 3).mean(axis=0)
    return float(red), float(green), float(blue)


def _plane(origin: Sequence[float], across: Sequence[float], down: Sequence[float]) -> Matrix:
    """From (column, row, 1) of a texture to homogeneous points of the world, (4, 3)."""
    matrix = np.column_stack([across, down, origin])
    return np.vstack([matrix, [0, 0, 1]])


def _warp(texture: Image, homography: Matrix, size: tuple[int, int], first_row: int) -> Image:
    """The rows of the picture from `first_row` on, filled from a texture."""
    shift = np.array([[1, 0, 0], [0, 1, -first_row], [0, 0, 1]])
    return np.asarray(
        cv2.warpPerspective(texture, shift @ homography, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )


def _soften_far(paint: Paint, shrink_rows: float, shrink_columns: float) -> Paint:
    """Blur the far rows by as much as the picture will shrink them, so that they do not flicker."""
    soft = cv2.GaussianBlur(paint, (0, 0), sigmaX=max(0.6 * shrink_columns, 0.3), sigmaY=max(0.6 * shrink_rows, 0.3))
    weight = np.linspace(1, 0, len(paint), dtype=np.float32)[:, None, None] ** 0.5
    return np.asarray(soft * weight + paint * (1 - weight), np.float32)


def _junction(camera: Matrix, width: int) -> tuple[float, float]:
    """Rows at which the line between wall and floor crosses the left and the right edge of the picture."""
    ends = camera @ np.array([(-1.0, FLOOR_Y, WALL_Z, 1.0), (1.0, FLOOR_Y, WALL_Z, 1.0)]).T
    line = np.cross(ends[:, 0], ends[:, 1])
    left, right = (-(line[0] * x + line[2]) / line[1] for x in (0.0, width - 1.0))
    return float(left), float(right)


def _project(camera: Matrix, points: Points) -> Points | None:
    """Pixels of points of the world, (P, 2); None if any lies behind the camera."""
    seen = points @ camera[:, :3].T + camera[:, 3]
    if seen[:, 2].min() < NEAR:
        return None
    return np.asarray(seen[:, :2] / seen[:, 2:])


def _fixed(points: Points) -> npt.NDArray[np.int32]:
    return np.round(points * (1 << SHIFT)).astype(np.int32)


def _fill(canvas: Image, points: Points | None, color: Color) -> None:
    """Fill a polygon, anti-aliased."""
    if points is not None:
        cv2.fillPoly(canvas, [_fixed(points)], color, lineType=cv2.LINE_AA, shift=SHIFT)


def _darken(canvas: Image, points: Points, strength: float) -> None:
    """Darken the inside of a polygon."""
    height, width = canvas.shape[:2]
    x0, y0 = np.maximum(np.floor(points.min(axis=0)).astype(int) - 2, 0)
    x1, y1 = np.minimum(np.ceil(points.max(axis=0)).astype(int) + 3, (width, height))
    if x1 <= x0 or y1 <= y0:
        return
    mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillPoly(mask, [_fixed(points - (x0, y0))], (255,), lineType=cv2.LINE_AA, shift=SHIFT)
    mask = np.asarray(cv2.blur(mask, (3, 3)), np.uint8)
    part = canvas[y0:y1, x0:x1]
    part[:] = (part * (1 - strength / 255 * mask.astype(np.float32))[..., None]).astype(np.uint8)
