"""The measures on rendered footage, with joins as they are and as they must not be."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from infra.demo.draw import Wishes, draw_scene
from infra.demo.render import render_shot
from infra.evaluate.modes import (
    changes,
    color_drift,
    kept_psnr_db,
    path_correlation,
    psnr_db,
    same_ends,
    seam_ratio,
    wrap_ratio,
)
from infra.evaluate.objects import follow, working


def footage(seed: int, num: int = 12, **wishes: object) -> np.ndarray:
    asked = {"camera": "static", "event": "none", "num_things": 1, "motion": "right", "time": "day", **wishes}
    scene = draw_scene(np.random.default_rng(seed), num / 7.5, 4 / 3, Wishes(**asked))
    return np.stack(list(render_shot(scene, (128, 96), [k / 7.5 for k in range(num)])))


def test_psnr_is_that_of_its_definition_and_refuses_other_shapes() -> None:
    black, grey = np.zeros((2, 4, 4, 3), np.uint8), np.full((2, 4, 4, 3), 16, np.uint8)
    assert psnr_db(black, grey) == pytest.approx(20 * np.log10(255 / 16))
    assert psnr_db(grey, grey) == float("inf")
    with pytest.raises(ValueError, match="held against"):
        psnr_db(black, grey[:1])


def test_a_seam_in_one_shot_is_none_and_one_between_two_shots_shows() -> None:
    one, other = footage(3), footage(4)
    assert seam_ratio(one, 6) < 1.5
    assert seam_ratio(np.concatenate([one[:6], other[6:]]), 6) > 3
    assert seam_ratio(np.concatenate([one[:6], other[6:]]), 3) < 1.5


def test_a_seam_in_what_stands_still_is_held_against_a_grey_level() -> None:
    still = np.full((8, 16, 16, 3), 90, np.uint8)
    assert seam_ratio(still, 4) == 0
    jump = still.copy()
    jump[4:] += 9
    assert seam_ratio(jump, 4) == pytest.approx(9)
    with pytest.raises(ValueError, match="no seam at frame 8 of 8"):
        seam_ratio(still, 8)


def test_a_loop_is_one_where_the_last_frame_goes_on_with_the_first() -> None:
    soft = cv2.GaussianBlur(np.tile(footage(5)[0], (1, 3, 1)), (0, 0), 6)[:, 128:256]
    turn = np.stack([np.roll(soft, 4 * k, axis=1) for k in range(32)])
    assert wrap_ratio(turn) == pytest.approx(1, abs=0.3)
    assert wrap_ratio(turn[:16]) > 3


def test_ends_are_the_same_only_where_all_pairs_are() -> None:
    one, other = footage(3), footage(4)
    assert same_ends([one, np.concatenate([other[:6], one[6:]])], 6) == float("inf")
    assert same_ends([one, one, other], 6) < 25


def test_paths_of_one_motion_correlate_whatever_the_colour_and_others_do_not() -> None:
    def path(**wishes: object) -> object:
        return follow(working(footage(11, shape="square", background="plaster wall", **wishes)))[0]

    red, blue, left = path(color="red"), path(color="blue"), path(color="red", motion="left")
    assert (red.color, blue.color) == ("red", "blue")
    assert path_correlation(red, blue) > 0.95
    assert path_correlation(red, left) < 0


def test_colours_that_drift_are_measured_over_the_range() -> None:
    frames = np.tile(footage(3), (4, 1, 1, 1))
    assert color_drift(frames, 12) < 0.01
    ramp = np.linspace(0, 51, len(frames))[:, None, None, None]
    drifting = np.clip(frames.astype(float) + ramp, 0, 255).astype(np.uint8)
    assert 0.1 < color_drift(drifting, 12) < 0.2


def test_what_is_given_is_kept_where_it_lies_between_itself_and_what_the_autoencoder_makes_of_it() -> None:
    given = footage(3)
    coded = np.clip(given.astype(int) + 20, 0, 255).astype(np.uint8)
    faded = ((given.astype(int) + coded) // 2).astype(np.uint8)
    assert kept_psnr_db(given, given, coded) == kept_psnr_db(coded, given, coded) == float("inf")
    assert kept_psnr_db(faded, given, coded) == float("inf")
    assert kept_psnr_db(footage(4), given, coded) < 25


def test_changes_are_mean_differences() -> None:
    frames = np.zeros((3, 2, 2, 3), np.uint8)
    frames[1:] = 10
    assert changes(frames).tolist() == [10, 0]
