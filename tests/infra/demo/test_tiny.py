from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from infra.demo.encode import decode
from infra.demo.tiny import tiny_film, tiny_frames, vfr_ticks
from infra.demo.truth import Cut


def changes(path: Path) -> list[float]:
    """Mean change of each frame against the one before; 0 for the first."""
    frames = np.stack(list(decode(path))).astype(np.int16)
    return [0.0, *np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))]


@pytest.mark.parametrize("vfr", [False, True])
def test_the_largest_changes_are_the_cuts(tmp_path: Path, vfr: bool) -> None:
    truth = tiny_film(tmp_path / "a.mp4", cuts=(13, 31, 52), vfr=vfr, seed=3)
    change = changes(tmp_path / "a.mp4")
    assert len(change) == truth.num_frames
    assert sorted(np.argsort(change)[-3:]) == [13, 31, 52]
    assert sorted(change)[-3] > 4 * sorted(change)[-4]


def test_shots_leave_out_the_frames_of_a_dissolve(tmp_path: Path) -> None:
    cuts = (Cut.gradual("dissolve", 20, 30), 45)
    truth = tiny_film(tmp_path / "a.mp4", cuts=cuts)
    assert [(shot.start_frame, shot.end_frame) for shot in truth.shots] == [(0, 20), (30, 45), (45, 60)]
    assert [shot.transition_in for shot in truth.shots] == ["edge", "dissolve", "cut"]
    assert truth.shots[1].start_s == pytest.approx(30 / 25)


@pytest.mark.parametrize("kind", ["dissolve", "fade", "wipe"])
def test_all_frames_of_a_transition_are_mixed_and_its_neighbours_are_clean(kind: str) -> None:
    size = (64, 48)
    cut = Cut.gradual(kind, 10, 18)
    mixed = list(tiny_frames(30, [cut], size, motion=False))
    clean = list(tiny_frames(30, [Cut.hard(15)], size, motion=False))
    assert np.array_equal(mixed[9], clean[0])
    assert np.array_equal(mixed[18], clean[29])
    for index in range(10, 18):
        assert not np.array_equal(mixed[index], clean[0])
        assert not np.array_equal(mixed[index], clean[29])


def test_borders_are_black_and_of_the_asked_width() -> None:
    frame = next(tiny_frames(1, [], (80, 60), border=(7, 9)))
    lit = np.argwhere(frame.max(axis=2) > 0)
    assert lit.min(axis=0).tolist() == [9, 7]
    assert lit.max(axis=0).tolist() == [60 - 9 - 1, 80 - 7 - 1]


def test_times_of_a_varying_rate_rise_and_keep_the_mean_rate() -> None:
    ticks = vfr_ticks(61, 30)
    steps = np.diff(ticks)
    assert steps.min() > 0
    assert len(set(steps.tolist())) > 2
    assert ticks[60] == pytest.approx(60 * 3000, abs=60)
