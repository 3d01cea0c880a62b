"""A pinhole camera that moves as the camera vocabulary says.

World and camera axes: x to the right, y down, z forward. At rest the camera stands at the origin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]

FOCAL = 1.2
"""Focal length over the square root of the picture's area: 58 degrees across at 16:9."""
ORBIT_CENTRE_Z = 6.5
"""What an orbit turns around."""

CAMERA_SPEEDS = {"slow": 0.4, "medium": 1.0, "fast": 2.4}

_RATES = {"pan": 9.0, "tilt": 6.0, "zoom": 0.17, "dolly": 0.6, "truck": 0.6, "pedestal": 0.32, "orbit": 11.0}
"""Per second at medium speed: degrees, logarithm of the focal length, units."""
_LIMITS = {
    "pan": 28.0,
    "tilt": 18.0,
    "zoom": 0.75,
    "dolly": 2.6,
    "truck": 3.2,
    "pedestal": 1.5,
    "orbit": 42.0,
}
"""Over a whole shot."""
_SIGNS = {"left": -1, "right": 1, "up": 1, "down": -1, "in": 1, "out": -1}


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the camera is and looks."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    yaw: float = 0.0
    """To the right, in radians."""
    pitch: float = 0.0
    """Upwards, in radians."""
    roll: float = 0.0
    zoom: float = 1.0
    """Focal length over that at rest."""

    def matrix(self, size: tuple[int, int]) -> Matrix:
        """The 3x4 projection from the world to pixels of a (width, height) picture."""
        width, height = size
        focal = self.zoom * FOCAL * math.sqrt(width * height)
        intrinsics = np.array([[focal, 0, width / 2 - 0.5], [0, focal, height / 2 - 0.5], [0, 0, 1]])
        rotation = self._rotation()
        centre = np.array([self.x, self.y, self.z])
        return np.asarray(intrinsics @ np.column_stack([rotation, -rotation @ centre]))

    def _rotation(self) -> Matrix:
        cy, sy = math.cos(self.yaw), math.sin(self.yaw)
        cp, sp = math.cos(self.pitch), math.sin(self.pitch)
        cr, sr = math.cos(self.roll), math.sin(self.roll)
        yaw = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
        pitch = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
        roll = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
        return np.asarray(roll @ pitch @ yaw)


@dataclass(frozen=True, slots=True)
class CameraMove:
    """One word of the camera vocabulary, at a speed."""

    name: str = "static"
    speed: str = "medium"
    seed: int = 0
    """Of the hand that shakes, and of the side to which an orbit goes."""
    base: Pose = Pose()
    """Added to the move: another angle on the same scene."""
    reach: float = 1.0
    """By how much it may go further over a shot than moves usually do."""
    jerk: float = 0.0
    """How hard an unsteady hand throws it about on top of the move; from about 1 on people call it shaky."""

    @property
    def kind(self) -> str:
        """The first word: `pan`, `static`."""
        return self.name.split()[0]

    def extent(self, duration_s: float) -> float:
        """How far it goes over a shot: degrees, units or logarithm of the focal length; 0 for none."""
        if self.kind not in _RATES:
            return 0.0
        return min(_RATES[self.kind] * CAMERA_SPEEDS[self.speed] * duration_s, self.reach * _LIMITS[self.kind])

    def pose(self, time_s: float, duration_s: float) -> Pose:
        """Where the camera is at a time of a shot that lasts `duration_s`."""
        step = self.extent(duration_s) * (min(max(time_s / duration_s, 0.0), 1.0) - 0.5) if duration_s > 0 else 0.0
        step *= _SIGNS.get(self.name.split()[-1], (-1, 1)[self.seed % 2])
        base = self.base
        x, y, z, yaw, pitch, roll, zoom = base.x, base.y, base.z, base.yaw, base.pitch, base.roll, base.zoom
        match self.kind:
            case "pan":
                yaw += math.radians(step)
            case "tilt":
                pitch += math.radians(step)
            case "zoom":
                zoom *= math.exp(step)
            case "dolly":
                z += step
            case "truck":
                x += step
            case "pedestal":
                y -= step
            case "orbit":
                angle = math.radians(step)
                x += ORBIT_CENTRE_Z * math.sin(angle)
                z += ORBIT_CENTRE_Z * (1 - math.cos(angle))
                yaw -= angle
            case "handheld":
                shake = _shake(self.seed, time_s) * {"slow": 0.7, "medium": 1.0, "fast": 1.8}[self.speed]
                x, y = x + 0.07 * shake[0], y + 0.06 * shake[1]
                yaw, pitch, roll = yaw + 0.016 * shake[2], pitch + 0.014 * shake[3], roll + 0.012 * shake[4]
        if self.jerk:
            throw = self.jerk * _jerks(self.seed, time_s, duration_s)
            yaw, pitch, roll = yaw + 0.016 * throw[0], pitch + 0.016 * throw[1], roll + 0.01 * throw[2]
        return Pose(x, y, z, yaw, pitch, roll, zoom)


def _jerks(seed: int, time_s: float, duration_s: float) -> npt.NDArray[np.float64]:
    """Three signals of about unit deviation: trembling at 2 to 6 Hz, and knocks that swing out."""
    rng = np.random.default_rng(seed + 78)
    frequency = rng.uniform((2.0, 3.4), (3.2, 6.0), (3, 2))
    phase = rng.uniform(0, 2 * math.pi, (3, 2))
    tremble = (np.sin(2 * math.pi * frequency * time_s + phase) * (0.9, 0.6)).sum(axis=1)
    for _ in range(math.ceil(2 * duration_s)):
        after_s = time_s - rng.uniform(0, duration_s)
        side = rng.uniform(-1, 1, 3)
        if after_s > 0:
            tremble = tremble + 2.0 * side * math.exp(-5 * after_s) * math.sin(2 * math.pi * 3 * after_s)
    return np.asarray(tremble)


def _shake(seed: int, time_s: float) -> npt.NDArray[np.float64]:
    """Five smooth signals of about unit deviation: a slow sway with a tremble on it."""
    rng = np.random.default_rng(seed + 77)
    frequency = rng.uniform((0.5, 1.1, 2.5, 4.0), (0.9, 1.8, 3.6, 6.5), (5, 4))
    phase = rng.uniform(0, 2 * math.pi, (5, 4))
    weight = np.array([1.0, 0.7, 0.35, 0.18])
    return np.asarray((np.sin(2 * math.pi * frequency * time_s + phase) * weight).sum(axis=1))
