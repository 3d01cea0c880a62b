"""Whether what is seen stays what it is: over time, out of sight, and as the camera moves around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from infra.demo.vocabulary import SHAPES
from infra.evaluate.blobs import Blob, Picture
from infra.evaluate.camera import CameraPath, planes_of, wall_mask
from infra.evaluate.color import NAMES
from infra.evaluate.objects import Seen, mean_agreement, weighted

_NEAR_SHARE = 0.012
"""Of the shorter side: a point is where the world's geometry puts it, within this."""
_NUM_POINTS = 150
_LEAST_POINTS = 12


def named(blobs: Sequence[Blob]) -> tuple[str, str]:
    """Colour and shape of an object by some of its patches."""
    color = NAMES[int(weighted(blobs, [blob.colors for blob in blobs]).argmin())]
    return color, SHAPES[int(mean_agreement(blobs).argmax())]


def steadiness(seen: Seen, num_frames: int) -> tuple[bool, bool] | None:
    """Whether an object has the same colour and the same shape in both halves of a video.

    Args:
        seen: An object.
        num_frames: Of the video.

    Returns:
        None where it comes into the picture or leaves it, so that one half says nothing.
    """
    halves = [[blob for blob in seen.blobs if (blob.frame < num_frames / 2) == is_early] for is_early in (True, False)]
    usable = [[blob for blob in half if not blob.touches] for half in halves]
    if all(usable):
        (color, shape), (later_color, later_shape) = (named(half) for half in usable)
        return color == later_color, shape == later_shape
    if all(halves) or any(blob.touches for blob in (seen.blobs[0], seen.blobs[-1])):
        return None
    # It is gone, or has come from nowhere.
    return False, False


def gaps(seen: Seen) -> list[tuple[list[Blob], list[Blob]]]:
    """The patches before and after each stretch of frames in which an object was not seen."""
    breaks = np.flatnonzero(np.diff(seen.frames) > 1) + 1
    return [(list(seen.blobs[:place]), list(seen.blobs[place:])) for place in breaks]


def same_after(before: Sequence[Blob], after: Sequence[Blob]) -> bool:
    """Whether an object comes out as it went in."""
    whole = [[blob for blob in part if not blob.touches] or list(part) for part in (before, after)]
    return named(whole[0]) == named(whole[1])


def leaves_and_returns(seen: Seen, num_frames: int) -> bool:
    """Whether an object is seen, then at the picture's edge or not at all, and then again as it was."""
    inside = [blob for blob in seen.blobs if not blob.touches]
    if len(inside) < 2:
        return False
    frames = np.array([blob.frame for blob in inside])
    away = int(np.diff(frames).argmax())
    if frames[away + 1] - frames[away] < 0.12 * num_frames:
        return False
    at_edge = [blob for blob in seen.blobs if blob.touches and frames[away] < blob.frame < frames[away + 1]]
    is_near_edge = bool(at_edge) or int(frames[away + 1] - frames[away]) > 1
    return is_near_edge and named(inside[: away + 1]) == named(inside[away + 1 :])


def reprojection(
    pictures: Sequence[Picture], masks: Sequence[npt.NDArray[np.bool_]], camera: CameraPath
) -> tuple[float, float] | None:
    """Where points of wall and floor go, against where the world's geometry puts them under the camera's path.

    Args:
        pictures: At the working size.
        masks: Where objects are.
        camera: The path that was found.

    Returns:
        Of the pair of frames in which it is least the share of points near their place, and the middle error over the
        shorter side; None where the camera does not move, or there are too few points.
    """
    if not camera.kind:
        return None
    step = max(1, len(pictures) // 8)
    found = [_errors(pictures, masks, camera, a, a + step) for a in range(0, len(pictures) - step, step)]
    found = [errors for errors in found if len(errors) >= _LEAST_POINTS]
    if not found:
        return None
    side = min(pictures[0].shape[:2])
    share = min(float((errors < _NEAR_SHARE * side).mean()) for errors in found)
    every = np.concatenate(found)
    followed = every[np.isfinite(every)]
    return share, float(np.median(followed)) / side if len(followed) else 1.0


def _errors(
    pictures: Sequence[Picture], masks: Sequence[npt.NDArray[np.bool_]], camera: CameraPath, a: int, b: int
) -> npt.NDArray[np.float64]:
    """The errors of points that one frame shows and another should, in pixels; infinite where one is lost.

    Source: Lucas and Kanade 1981; a point counts as followed that is followed back to where it came from.
    """
    one, other = (cv2.cvtColor(pictures[k], cv2.COLOR_RGB2GRAY) for k in (a, b))
    # Light may change, and points are followed by how bright they are.
    other = np.asarray(cv2.convertScaleAbs(other, alpha=float(one.mean()) / max(float(other.mean()), 1.0)), np.uint8)
    free = np.where(masks[a], 0, 255).astype(np.uint8)
    # OpenCV's own types do not say that it finds none at times.
    points: Any = cv2.goodFeaturesToTrack(one, _NUM_POINTS, 0.02, 5, mask=free)
    if points is None:
        return np.empty(0)
    there, ok, _ = cv2.calcOpticalFlowPyrLK(one, other, points, points.copy(), winSize=(15, 15), maxLevel=3)
    back, ok_back, _ = cv2.calcOpticalFlowPyrLK(other, one, there, there.copy(), winSize=(15, 15), maxLevel=3)
    is_back = np.linalg.norm(np.asarray(back) - points, axis=-1).ravel() < 1.0
    is_followed = np.asarray(ok).ravel().astype(bool) & np.asarray(ok_back).ravel().astype(bool) & is_back
    starts, ends = points.reshape(-1, 2).astype(np.float64), np.asarray(there).reshape(-1, 2)
    places = _places(starts, camera, a, b, (one.shape[1], one.shape[0]))
    errors = np.where(is_followed, np.linalg.norm(places - ends, axis=1), np.inf)
    # What leaves the picture, or goes behind an object, cannot be followed.
    border = 6
    last = np.array([one.shape[1], one.shape[0]]) - 1 - border
    inside = np.asarray(((places > border) & (places < last)).all(axis=1), np.bool_)
    at = np.where(inside[:, None], places, 0).astype(np.int64)
    is_free = np.logical_not(masks[b][at[:, 1], at[:, 0]])
    return np.asarray(errors[inside & is_free], np.float64)


def _places(
    starts: npt.NDArray[np.float64], camera: CameraPath, a: int, b: int, size: tuple[int, int]
) -> npt.NDArray[np.float64]:
    """Where the world's geometry puts points of one frame in another, (N, 2)."""
    before, after = (camera.matrix(k, size) for k in (a, b))
    is_wall = wall_mask(before, size)
    columns, rows = np.clip(starts.astype(int), 0, np.array(size) - 1).T
    turned = []
    for old, new in zip(planes_of(before), planes_of(after), strict=True):
        spots = np.column_stack([starts, np.ones(len(starts))]) @ (new @ np.linalg.inv(old)).T
        turned.append(spots[:, :2] / spots[:, 2:])
    return np.asarray(np.where(is_wall[rows, columns][:, None], turned[0], turned[1]), np.float64)
