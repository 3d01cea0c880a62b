from __future__ import annotations

import numpy as np
import pytest

from infra.demo.camera import CameraMove
from infra.demo.vocabulary import CAMERAS

SIZE = (320, 180)
CENTRE = np.array([159.5, 89.5])


def track(name: str, point: tuple[float, float, float]) -> np.ndarray:
    """Where a point is seen at the start and at the end of a shot, (2, 2)."""
    move = CameraMove(name, "medium", seed=1)
    spots = []
    for time_s in (0.0, 2.0):
        x, y, depth = move.pose(time_s, 2.0).matrix(SIZE) @ np.array([*point, 1.0])
        spots.append((x / depth, y / depth))
    return np.array(spots)


def shift(name: str, depth: float) -> np.ndarray:
    start, end = track(name, (0.0, 0.0, depth))
    return np.asarray(end - start)


@pytest.mark.parametrize(
    ("name", "axis", "sign"),
    [
        ("pan left", 0, 1),
        ("pan right", 0, -1),
        ("tilt up", 1, 1),
        ("tilt down", 1, -1),
        ("truck left", 0, 1),
        ("truck right", 0, -1),
        ("pedestal up", 1, 1),
        ("pedestal down", 1, -1),
    ],
)
def test_the_picture_moves_against_the_camera(name: str, axis: int, sign: int) -> None:
    moved = shift(name, 8.0)
    assert sign * moved[axis] > 5
    assert abs(moved[1 - axis]) < 1e-6


@pytest.mark.parametrize("name", ["truck right", "pedestal up"])
def test_near_things_move_more_when_the_camera_travels(name: str) -> None:
    near, far = np.abs(shift(name, 4.0)).max(), np.abs(shift(name, 8.0)).max()
    assert near == pytest.approx(2 * far)


@pytest.mark.parametrize("name", ["pan right", "tilt up"])
def test_depth_does_not_matter_when_the_camera_turns(name: str) -> None:
    assert np.allclose(shift(name, 4.0), shift(name, 8.0))


def growth(name: str, depth: float) -> float:
    start, end = track(name, (1.0, 0.5, depth))
    return float(np.linalg.norm(end - CENTRE) / np.linalg.norm(start - CENTRE))


def test_a_zoom_magnifies_all_depths_alike_and_a_dolly_the_near_ones_more() -> None:
    assert growth("zoom in", 4.0) == pytest.approx(growth("zoom in", 8.0))
    assert growth("zoom in", 8.0) > 1.1
    assert growth("zoom out", 8.0) < 0.9
    assert growth("dolly in", 4.0) > growth("dolly in", 8.0) > 1.05
    assert growth("dolly out", 8.0) < 0.95


def test_an_orbit_keeps_its_centre_in_view_and_moves_what_lies_behind() -> None:
    assert np.abs(shift("orbit", 6.5)).max() < 1e-6
    assert abs(shift("orbit", 10.0)[0]) > 10


def test_static_is_still_and_handheld_never_is() -> None:
    assert np.abs(shift("static", 6.0)).max() == 0
    move = CameraMove("handheld", seed=3)
    spots = []
    for time_s in np.arange(0, 2, 0.1):
        x, y, depth = move.pose(float(time_s), 2.0).matrix(SIZE) @ np.array([0, 0, 6.0, 1])
        spots.append((x / depth, y / depth))
    steps = np.linalg.norm(np.diff(spots, axis=0), axis=1)
    assert steps.min() > 0
    assert np.ptp(spots, axis=0).max() < 60


def test_the_whole_vocabulary_has_poses_that_depend_on_time_alone() -> None:
    for name in CAMERAS:
        move = CameraMove(name, "fast", seed=5)
        assert move.pose(0.7, 3.0) == move.pose(0.7, 3.0)
