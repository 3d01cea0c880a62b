"""How the camera moves: which move of the world, and how far, best turns each picture's wall and floor into the next.

No point is followed: the world's two planes are warped by the poses of a move, and the pictures are held against each
other, objects left out. So weak textures and soft pictures count as far as they go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from infra.demo.camera import ORBIT_CENTRE_Z, Pose
from infra.demo.paths import FLOOR_Y
from infra.demo.scene import WALL_Z
from infra.evaluate.blobs import Picture

Plane = npt.NDArray[np.float32]

LIMITS = {"pan": 32.0, "tilt": 21.0, "zoom": 0.85, "dolly": 3.0, "truck": 3.6, "pedestal": 1.8, "orbit": 46.0}
"""Farthest that each move is looked for over a video: degrees, units or logarithms of the focal length."""
_WAYS = {
    "pan": ("pan left", "pan right"),
    "tilt": ("tilt down", "tilt up"),
    "zoom": ("zoom out", "zoom in"),
    "dolly": ("dolly out", "dolly in"),
    "truck": ("truck left", "truck right"),
    "pedestal": ("pedestal down", "pedestal up"),
    "orbit": ("orbit", "orbit"),
}
_COARSE_SIDE, _FINE_SIDE = 48, 96
"""Shorter sides of the pictures that are held against each other."""
_NUM_FRAMES = 9
"""So many of a video, evenly spread."""
_NUM_COARSE = 31
_NUM_FINE = 4
"""So many kinds of moves, those that fit best from afar, are looked at closely."""
_CAP = 0.25
"""Of a difference: what moves by itself must not count for more."""
_STILL_GAIN = 0.93
"""A move leaves less than this share of what differs where the camera is taken to stand still."""
_LEAST_WAY = 0.006
"""Less than this, in shorter sides of the picture over the video, is no move."""
_SHAKE_GAIN = 0.85
"""A shaking hand is found where shifts from picture to picture leave less than this share of what any move leaves."""


def pose_of(kind: str, extent: float, share: float) -> Pose:
    """Where the camera is after a share of a move.

    Args:
        kind: A key of `LIMITS`.
        extent: Over the whole video, with its sign.
        share: 0 to 1.
    """
    step = extent * (share - 0.5)
    match kind:
        case "pan":
            return Pose(yaw=float(np.radians(step)))
        case "tilt":
            return Pose(pitch=float(np.radians(step)))
        case "zoom":
            return Pose(zoom=float(np.exp(step)))
        case "dolly":
            return Pose(z=step)
        case "truck":
            return Pose(x=step)
        case "pedestal":
            return Pose(y=-step)
        case "orbit":
            angle = float(np.radians(step))
            away = ORBIT_CENTRE_Z
            return Pose(x=away * float(np.sin(angle)), z=away * (1 - float(np.cos(angle))), yaw=-angle)
    raise ValueError(f"no move {kind!r}")


@dataclass(frozen=True, slots=True)
class CameraPath:
    """The move that agrees best with a video."""

    name: str
    """One of the world's camera motions."""
    kind: str
    """A key of `LIMITS`; empty for a camera that stands still or shakes."""
    extent: float
    """How far it goes over the video, with its sign; units as in `LIMITS`."""
    num_frames: int
    left: float
    """What differs under it over what differs where the camera is taken to stand still; 1 for one that does."""
    shifts: tuple[tuple[float, float], ...] = ()
    """Of a shaking hand: where each frame's picture has gone since the first, in shorter sides."""

    def matrix(self, frame: int, size: tuple[int, int]) -> npt.NDArray[np.float64]:
        """The 3x4 projection from the world to a frame's pixels, for a (width, height) picture."""
        if not self.kind:
            return Pose().matrix(size)
        return pose_of(self.kind, self.extent, frame / max(self.num_frames - 1, 1)).matrix(size)

    def shift(self, frame: int) -> npt.NDArray[np.float64]:
        """Where a shaking hand has moved a frame's picture, in shorter sides."""
        return np.asarray(self.shifts[frame] if self.shifts else (0.0, 0.0))


def find_path(pictures: Sequence[Picture], masks: Sequence[npt.NDArray[np.bool_]]) -> CameraPath:
    """The camera's move.

    Args:
        pictures: In order of time.
        masks: Where objects are in each of them, which says nothing of the camera.
    """
    if len(pictures) < 2:
        return CameraPath("static", "", 0.0, len(pictures), 1.0)
    coarse, fine = (_Views.of(pictures, masks, side) for side in (_COARSE_SIDE, _FINE_SIDE))
    first = []
    for kind, limit in LIMITS.items():
        extents = np.linspace(-limit, limit, _NUM_COARSE)
        differences = [coarse.difference(kind, float(extent), neighbours=True) for extent in extents]
        nearest = int(np.argmin(differences))
        first.append((differences[nearest], kind, float(extents[nearest]), float(extents[1] - extents[0])))
    found = []
    for _, kind, best, step in sorted(first)[:_NUM_FINE]:
        for _ in range(2):
            near = best + step * np.linspace(-1, 1, 7)
            close = [fine.difference(kind, float(extent)) for extent in near]
            best, step = float(near[int(np.argmin(close))]), step / 3
        found.append((min(close), kind, best))
    still = fine.difference("pan", 0.0)
    left, kind, extent = min(found)
    shaken, shifts = fine.shaken()
    if shifts is not None and shaken < _SHAKE_GAIN * fine.difference(kind, extent, neighbours=True):
        return CameraPath("handheld", "", 0.0, len(pictures), shaken / max(still, 1e-6), shifts)
    if left > _STILL_GAIN * still or fine.way(kind, extent) < _LEAST_WAY:
        return CameraPath("static", "", 0.0, len(pictures), 1.0)
    return CameraPath(_WAYS[kind][int(extent > 0)], kind, extent, len(pictures), left / max(still, 1e-6))


@dataclass(frozen=True, slots=True)
class _Views:
    """Some frames of a video, at one size, made ready to be held against each other."""

    frames: tuple[int, ...]
    num_frames: int
    planes: tuple[Plane, ...]
    """Contrast with the neighbourhood, which light does not change, (H, W)."""
    weights: tuple[Plane, ...]
    """1 where there is background."""
    both: tuple[Plane, ...]
    """The two together, (H, W, 2)."""

    @classmethod
    def of(cls, pictures: Sequence[Picture], masks: Sequence[npt.NDArray[np.bool_]], side: int) -> _Views:
        height, width = pictures[0].shape[:2]
        size = (round(width * side / min(height, width)), round(height * side / min(height, width)))
        frames = np.unique(np.linspace(0, len(pictures) - 1, _NUM_FRAMES).round().astype(int))
        planes, weights = [], []
        for frame in frames:
            gray = cv2.cvtColor(pictures[frame], cv2.COLOR_RGB2GRAY).astype(np.float32)
            gray = cv2.resize(
                cv2.GaussianBlur(gray, (0, 0), 0.35 * height / size[1]), size, interpolation=cv2.INTER_AREA
            )
            around = cv2.GaussianBlur(gray, (0, 0), side / 8)
            planes.append(np.asarray((gray - around) / (around + 12), np.float32))
            free = 1 - masks[frame].astype(np.float32)
            weights.append(np.asarray(cv2.resize(free, size, interpolation=cv2.INTER_AREA) > 0.9, np.float32))
        both = [np.dstack(each) for each in zip(planes, weights, strict=True)]
        return cls(tuple(int(frame) for frame in frames), len(pictures), tuple(planes), tuple(weights), tuple(both))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        height, width = self.planes[0].shape
        return width, height

    def pairs(self, *, neighbours: bool = False) -> list[tuple[int, int]]:
        """Which are held against each other: neighbours, and some farther apart, which tell small moves."""
        num = len(self.frames)
        near = [(k, k + 1) for k in range(num - 1)]
        half = num // 2
        return near if neighbours or num < 4 else [*near, (0, half), (half, num - 1)]

    def difference(self, kind: str, extent: float, *, neighbours: bool = False) -> float:
        """What differs between pictures that a move should make the same; the mean over pairs."""
        shares = [frame / (self.num_frames - 1) for frame in self.frames]
        matrices = [pose_of(kind, extent, share).matrix(self.size) for share in shares]
        planes = [planes_of(matrix) for matrix in matrices]
        inverses = [np.linalg.inv(np.stack(each)) for each in planes]
        left = []
        for a, b in self.pairs(neighbours=neighbours):
            is_wall = wall_mask(matrices[b], self.size)[..., None]
            wall, floor = (self._turned(a, planes[b][n] @ inverses[a][n]) for n in (0, 1))
            seen = np.where(is_wall, wall, floor)
            left.append(_difference(seen[..., 0], self.planes[b], seen[..., 1] * self.weights[b]))
        return float(np.mean(left))

    def shaken(self) -> tuple[float, tuple[tuple[float, float], ...] | None]:
        """What differs between neighbours where each is shifted as fits best, and the shifts of all frames.

        Frames are shifted onto the first and not onto their neighbours, since a hand shakes about one place and errors
        would add up.
        """
        width, height = self.size
        window = cv2.createHanningWindow((width, height), cv2.CV_32F)
        shown = [plane * weight for plane, weight in zip(self.planes, self.weights, strict=True)]
        places = np.array([cv2.phaseCorrelate(shown[0], each, window)[0] for each in shown])
        left = []
        for a, b in self.pairs(neighbours=True):
            dx, dy = cv2.phaseCorrelate(shown[a], shown[b], window)[0]
            matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
            seen = np.asarray(cv2.warpAffine(self.both[a], matrix, self.size), np.float32)
            left.append(_difference(seen[..., 0], self.planes[b], seen[..., 1] * self.weights[b]))
        way = np.abs(np.diff(places, axis=0)).sum(axis=0)
        if way.max() / min(width, height) < 4 * _LEAST_WAY:
            return float(np.mean(left)), None
        each = (places - places.mean(axis=0)) / min(width, height)
        all_frames = np.arange(self.num_frames)
        x, y = (np.interp(all_frames, self.frames, each[:, axis]) for axis in (0, 1))
        return float(np.mean(left)), tuple(zip(x.tolist(), y.tolist(), strict=True))

    def way(self, kind: str, extent: float) -> float:
        """How far a move takes points of the wall over the video, in shorter sides of the picture."""
        width, height = self.size
        start, end = (planes_of(pose_of(kind, extent, share).matrix(self.size))[0] for share in (0.0, 1.0))
        corners = np.array([(x, y, 1.0) for x in (0.2 * width, 0.8 * width) for y in (0.2 * height, 0.8 * height)])
        gone = corners @ (end @ np.linalg.inv(start)).T
        return float(np.linalg.norm(gone[:, :2] / gone[:, 2:] - corners[:, :2], axis=1).mean()) / min(width, height)

    def _turned(self, number: int, homography: npt.NDArray[np.float64]) -> Plane:
        """A picture with its weights as another frame would see them, (H, W, 2)."""
        return np.asarray(cv2.warpPerspective(self.both[number], homography, self.size), np.float32)


def planes_of(matrix: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """From (x, y, 1) of the wall, and from (x, z, 1) of the floor, to pixels: two (3, 3)."""
    x, y, z, one = matrix.T
    return np.column_stack([x, y, WALL_Z * z + one]), np.column_stack([x, z, FLOOR_Y * y + one])


def wall_mask(matrix: npt.NDArray[np.float64], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Where a picture shows the wall, and not the floor, (H, W)."""
    width, height = size
    ends = matrix @ np.array([(-1.0, FLOOR_Y, WALL_Z, 1.0), (1.0, FLOOR_Y, WALL_Z, 1.0)]).T
    line = np.cross(ends[:, 0], ends[:, 1])
    rows = -(line[0] * np.arange(width) + line[2]) / (line[1] if abs(line[1]) > 1e-9 else 1e-9)
    return np.asarray(np.arange(height)[:, None] < rows[None])


def _difference(one: Plane, other: Plane, weight: Plane) -> float:
    """The mean of capped differences where both show background; the cap where they share too little."""
    if weight.mean() < 0.15:
        return _CAP
    return float((np.minimum(np.abs(one - other), _CAP) * weight).sum() / weight.sum())
