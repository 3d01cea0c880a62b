"""What happens: falls, bounces, collisions, strokes of a brush, and what happens first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from infra.demo.camera import FOCAL
from infra.evaluate.blobs import Picture
from infra.evaluate.camera import CameraPath
from infra.evaluate.motion import DEPTH, world_places
from infra.evaluate.objects import Seen

Ways = npt.NDArray[np.float64]
"""Places free of the camera's motion, in shorter sides of the picture, (N, 2)."""

_LEAST_DROP = 0.08
"""In shorter sides: less is no fall."""
_REBOUND = 0.4
"""Of the drop: what bounces comes up by 0.88 of it, what falls by 0.12."""
_NEARLY = 0.8
"""Of the drop: between two frames a thing may touch the floor unseen."""
_STARTS = 0.03
"""Farther than this from where it was, in shorter sides, a thing has begun to move."""
_DEPTHS = (DEPTH, 5.8, 7.3)
"""At which a stroke is looked for where the camera moves: the one with most paint counts."""
_PAINT_DEG = 9.0
"""How far paint may be from the colour of its brush."""
_PAINT_LIGHTNESS = (0.6, 0.93)
"""Of paint, over that of the brush's face: the world's is 0.79."""


def drop_and_rebound(ways: Ways) -> tuple[float, float]:
    """How far a thing goes down in all, and how far it comes up again at most after it was nearly so low, in sides."""
    y = ways[:, 1]
    drops = [float(y[low] - y[: low + 1].min()) for low in range(len(y))]
    most = max(drops)
    rises = [float(y[low] - y[low:].min()) for low in range(len(y)) if drops[low] >= _NEARLY * most]
    return most, max(rises)


def vertical_event(ways: Ways) -> str:
    """`fall`, `bounce`, or nothing."""
    drop, rebound = drop_and_rebound(ways)
    sideways = float(np.ptp(ways[:, 0]))
    if drop < _LEAST_DROP or sideways > drop:
        return ""
    return "bounce" if rebound > _REBOUND * drop else "fall"


def start_s(ways: Ways, times_s: npt.NDArray[np.float64]) -> float | None:
    """When a thing begins to move; None where it does not."""
    away = np.linalg.norm(ways - np.median(ways[: max(1, len(ways) // 8)], axis=0), axis=1)
    moved = np.flatnonzero(away > _STARTS)
    return float(times_s[moved[0]]) if len(moved) and away[-1] > _STARTS else None


def comes_first(one: tuple[Ways, npt.NDArray[np.float64]], other: tuple[Ways, npt.NDArray[np.float64]]) -> bool | None:
    """Whether one thing begins to move before another; None where one of them does not move."""
    starts = [start_s(*each) for each in (one, other)]
    if starts[0] is None or starts[1] is None:
        return None
    return starts[0] < starts[1]


def is_pushed(one: Ways, other: Ways) -> bool:
    """Whether the other ends farther on in the direction in which the first has come."""
    came, gone = float(one[-1, 0] - one[0, 0]), float(other[-1, 0] - other[0, 0])
    return abs(came) > _STARTS and abs(gone) > _STARTS and came * gone > 0


def passes_through(one: Seen, other: Seen) -> bool:
    """Whether one thing is ever in the midst of another, or changes sides with it."""
    frames, first, second = np.intersect1d(one.frames, other.frames, return_indices=True)
    if not len(frames):
        return False
    across = one.places[first, 0] - other.places[second, 0]
    least = 0.3 * (one.sizes[first] + other.sizes[second])
    apart = np.linalg.norm(one.places[first] - other.places[second], axis=1)
    return bool((np.sign(across) != np.sign(across[0])).any() or (apart < least).any())


def strokes(seen: Seen, camera: CameraPath, pictures: Sequence[Picture]) -> tuple[float, float]:
    """What paint a thing leaves where it has been.

    Args:
        seen: The thing.
        camera: The camera's path.
        pictures: At the working size.

    Returns:
        The share of places where there is paint at the end; and of those painted half-way, the share that still are.
    """
    found = []
    height, width = pictures[0].shape[:2]
    for depth in _DEPTHS if camera.kind else _DEPTHS[:1]:
        ways = world_places(seen, camera, (width, height), depth)
        late, early = (_painted(seen, ways, camera, pictures, now, depth) for now in (-1, len(seen.blobs) // 2))
        share = float(np.mean(list(late.values()))) if late else 0.0
        kept = [late[k] for k, is_painted in early.items() if is_painted and k in late]
        found.append((share, float(np.mean(kept)) if kept else 0.0))
    return max(found)


def _painted(
    seen: Seen, ways: Ways, camera: CameraPath, pictures: Sequence[Picture], now: int, depth: float
) -> dict[int, bool]:
    """Of each place that a thing has left by one of its frames, whether there is paint."""
    blob = seen.blobs[now]
    picture = pictures[blob.frame].astype(np.float32)
    height, width = picture.shape[:2]
    side = min(width, height)
    focal = FOCAL * float(np.sqrt(width * height))
    matrix = camera.matrix(blob.frame, (width, height))
    reach = max(2, round(0.12 * blob.size))
    found: dict[int, bool] = {}
    for k in range(now % len(seen.blobs)):
        spot = matrix @ np.append(ways[k] * side * depth / focal, (depth, 1.0))
        x, y = spot[:2] / spot[2] + camera.shift(blob.frame) * side
        if np.hypot(x - blob.x, y - blob.y) < 1.1 * blob.size or not (reach < x < width - reach):
            continue
        patch = picture[max(int(y) - reach, 0) : int(y) + reach + 1, max(int(x) - reach, 0) : int(x) + reach + 1]
        if patch.size:
            found[k] = _is_paint(patch.reshape(-1, 3), blob.rgb)
    return found


def _is_paint(pixels: npt.NDArray[np.float32], face: npt.NDArray[np.float32]) -> bool:
    lengths = np.linalg.norm(pixels, axis=1)
    own = float(np.linalg.norm(face))
    cosines = pixels @ face / np.maximum(lengths * own, 1e-3)
    low, high = _PAINT_LIGHTNESS
    like = (cosines > np.cos(np.radians(_PAINT_DEG))) & (lengths > low * own) & (lengths < high * own)
    return bool(like.mean() > 0.25)
