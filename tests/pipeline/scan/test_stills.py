from __future__ import annotations

import numpy as np

from pipeline.scan.stills import runs, slides

RATE = 25


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(40, 210, (27, 48)).astype(np.float32)


def share(pictures: list[np.ndarray]) -> float:
    luma = np.stack([np.round(one) for one in pictures]).astype(np.uint8)
    return float(slides(luma, np.full(len(luma), 1 / RATE), 5).mean())


def blend(old: np.ndarray, new: np.ndarray, count: int) -> list[np.ndarray]:
    return [old + (new - old) * (k + 1) / (count + 1) for k in range(count)]


def moving(count: int) -> list[np.ndarray]:
    wide = np.random.default_rng(9).integers(40, 210, (27, 48 + count)).astype(np.float32)
    return [wide[:, k : k + 48] for k in range(count)]


def test_a_run_ends_where_it_has_drifted_too_far_from_its_first_frame() -> None:
    drift = np.stack([np.full((27, 48), 100 + k, np.uint8) for k in range(10)])
    assert runs(drift, 3) == [0, 4, 8, 10]
    assert runs(drift, 255, np.arange(10) == 6) == [0, 6, 10]


def test_slides_with_cuts_and_dissolves_between_them_are_slides_throughout() -> None:
    one, two, three = (picture(seed) for seed in (1, 2, 3))
    assert share([one] * 25 + [two] * 30) == 1
    assert share([one] * 25 + blend(one, two, 12) + [two] * 30 + blend(two, three, 8)) == 1


def test_what_moves_between_two_held_pictures_is_no_blend() -> None:
    film = moving(40)
    assert share([film[0]] * 25 + film[1:-1] + [film[-1]] * 25) < 0.65
    assert share(film) == 0


def test_a_picture_that_stands_but_briefly_is_not_held() -> None:
    assert share([one for seed in range(6) for one in [picture(seed)] * 8]) == 0


def test_the_beginning_of_a_slow_pan_is_no_transition_to_a_slide() -> None:
    # Half a cell in half a second: each picture is an exact mixture of the first and the last, which differ little.
    wide = np.random.default_rng(4).integers(100, 121, (27, 49)).astype(np.float32)
    drift = [wide[:, :48] * (1 - k / 24) + wide[:, 1:] * (k / 24) for k in range(13)]
    assert 0.7 < share(drift + [drift[-1]] * 40) < 0.9


def test_a_low_frame_rate_is_no_slideshow_but_a_picture_a_second_is() -> None:
    film = np.stack([np.round(one) for one in moving(12)]).astype(np.uint8)
    assert slides(film, np.full(12, 0.5), 5).mean() == 0
    assert slides(film, np.full(12, 1.5), 5).mean() == 1


def test_a_few_frames_of_a_slow_move_over_a_faint_picture_are_no_transition() -> None:
    wide = 100 + (np.random.default_rng(3).integers(0, 24, (27, 60)))
    moved = [wide[:, k : k + 48] for k in range(6)]
    assert share([moved[0]] * 20 + moved[1:]) < 0.9
