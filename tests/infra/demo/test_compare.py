from __future__ import annotations

import pytest

from infra.demo.compare import (
    FoundShot,
    Tally,
    crop_error_px,
    num_clips_across_cuts,
    score_shots,
    total,
)
from infra.demo.truth import Crop, Cut

CUTS = (Cut.hard(50), Cut.gradual("dissolve", 100, 120), Cut.gradual("fade", 180, 200))
FOUND = [
    FoundShot(0, 50, "edge", "cut"),
    FoundShot(50, 100, "cut", "dissolve"),
    FoundShot(120, 180, "dissolve", "fade"),
    FoundShot(200, 260, "fade", "edge"),
]


def test_the_truth_itself_scores_one() -> None:
    score = score_shots(CUTS, FOUND)
    assert score.hard == Tally(1, 0, 0)
    assert score.gradual == Tally(2, 0, 0)
    assert score.all.f1 == 1
    assert (score.num_right_kind, score.leak) == (3, 0)
    assert score.recall_by_kind == {"hard": (1, 1), "dissolve": (1, 1), "fade": (1, 1)}


@pytest.mark.parametrize(("frame", "is_hit"), [(48, True), (52, True), (47, False), (53, False)])
def test_a_hard_cut_must_be_found_within_two_frames(frame: int, is_hit: bool) -> None:
    score = score_shots([Cut.hard(50)], [FoundShot(0, frame), FoundShot(frame, 100)])
    assert score.hard == (Tally(1, 0, 0) if is_hit else Tally(0, 1, 1))


def test_two_detections_in_one_gradual_transition_count_once() -> None:
    shots = [FoundShot(0, 104), FoundShot(104, 115), FoundShot(115, 200)]
    score = score_shots([CUTS[1]], shots)
    assert score.gradual == Tally(1, 0, 0)
    assert score.hard == Tally()


def test_one_detection_serves_one_hard_cut() -> None:
    score = score_shots([Cut.hard(50), Cut.hard(52)], [FoundShot(0, 51), FoundShot(51, 90)])
    assert score.hard == Tally(1, 0, 1)


def test_a_detection_chosen_late_by_its_own_cut_is_not_lost_to_a_neighbour() -> None:
    shots = [FoundShot(0, 50), FoundShot(50, 53), FoundShot(53, 90)]
    assert score_shots([Cut.hard(51), Cut.hard(53)], shots).hard == Tally(2, 0, 0)


def test_nothing_found_misses_all_and_a_shot_over_a_transition_leaks() -> None:
    score = score_shots(CUTS, [FoundShot(0, 260)])
    assert score.all == Tally(0, 0, 3)
    assert score.all.f1 == 0
    assert score.leak == 1


def test_half_of_a_dissolve_inside_a_shot_is_half_a_leak() -> None:
    score = score_shots([CUTS[1]], [FoundShot(0, 110), FoundShot(120, 200, "dissolve")])
    assert score.leak == pytest.approx(0.5)


def test_fades_at_the_edges_are_neither_missed_nor_false() -> None:
    cuts = [Cut.gradual("fade", 0, 12, optional=True)]
    assert score_shots(cuts, [FoundShot(0, 90)]).all == Tally()
    assert score_shots(cuts, [FoundShot(0, 6), FoundShot(6, 90)]).all == Tally()


def test_scores_of_films_add_up() -> None:
    score = total([score_shots(CUTS, FOUND), score_shots(CUTS, [FoundShot(0, 260)])])
    assert score.all == Tally(3, 0, 3)
    assert score.recall_by_kind["fade"] == (1, 2)
    assert score.all.f1 == pytest.approx(2 / 3)


def test_shots_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="overlap"):
        score_shots(CUTS, [FoundShot(0, 60), FoundShot(50, 90)])


def test_the_crop_error_is_the_worst_edge() -> None:
    truth = Crop(0, 20, 320, 140)
    assert crop_error_px(truth, truth, (320, 180)) == 0
    assert crop_error_px(Crop(2, 19, 318, 141), truth, (320, 180)) == 2
    assert crop_error_px(None, truth, (320, 180)) == 20
    assert crop_error_px(None, None, (320, 180)) == 0


def test_clips_that_hold_a_cut_are_counted() -> None:
    assert num_clips_across_cuts(CUTS, [(0, 50), (50, 100), (120, 180)]) == 0
    assert num_clips_across_cuts(CUTS, [(0, 51), (60, 130)]) == 2
    assert num_clips_across_cuts(CUTS, [(0, 51)], tolerance=2) == 0
