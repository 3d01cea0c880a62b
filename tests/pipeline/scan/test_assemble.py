from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import cv2
import numpy as np
import pytest

from pipeline.scan.assemble import assemble, displayed
from pipeline.scan.borders import Crop
from pipeline.scan.rules import ScanRules
from pipeline.shots import detect
from schemas.clip import Shot, Transition
from schemas.tables import TABLES
from schemas.video import Probe

VIDEO = "ab" * 16


def probe(**changes) -> Probe:
    values = {
        "stream_index": 0,
        "container": "mov",
        "codec": "h264",
        "pixel_format": "yuv420p",
        "width": 96,
        "height": 64,
        "coded_width": 96,
        "coded_height": 64,
        "rotation_deg": 0,
        "frame_rate": Fraction(24),
        "is_vfr": None,
        "is_image": False,
        "num_frames": None,
        "duration_s": None,
        "has_audio": False,
        "color_primaries": "unspecified",
        "color_transfer": "unspecified",
        "color_matrix": "unspecified",
        "color_range": "unspecified",
        "field_order": "unknown",
    }
    return Probe(**{**values, **changes})


def film(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    wide = rng.integers(0, 255, (8, 100, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    return [wide[:, 2 * k : 2 * k + 96] for k in range(count)]


CUT = [Shot(0, 30, Transition.edge, Transition.cut), Shot(30, 300, Transition.cut, Transition.edge)]


@pytest.fixture
def outcome(measured):
    return assemble(measured(film(300)), CUT, probe(), ScanRules(min_clip_s=2), VIDEO)


def test_rows_hold_exactly_the_columns_of_their_tables(outcome):
    for name in ("shots", "clips", "scores/scan"):
        assert outcome.rows[name]
        for row in outcome.rows[name]:
            assert set(row) == set(TABLES[name].schema.names), name


def test_short_shots_have_a_row_and_no_clip(outcome):
    assert [(row["start_frame"], row["end_frame"]) for row in outcome.rows["shots"]] == [(0, 30), (30, 300)]
    assert [(row["shot_index"], row["start_frame"], row["end_frame"]) for row in outcome.rows["clips"]] == [
        (1, 31, 165),
        (1, 165, 300),
    ]


def test_spans_are_half_open_in_ticks_and_reach_the_end_of_the_last_frame(outcome):
    last = outcome.rows["clips"][-1]
    assert (last["start_pts"], last["end_pts"]) == (165, 300)
    assert (last["time_base_num"], last["time_base_den"]) == (1, 24)
    assert last["end_s"] == pytest.approx(300 / 24)
    assert outcome.counts["duration_s"] == pytest.approx(300 / 24)
    assert outcome.counts["num_frames"] == outcome.num_frames == 300
    assert outcome.counts["is_vfr"] is False


def test_previews_are_three_jpegs_spread_over_each_clip(outcome):
    ids = [row["clip_id"] for row in outcome.rows["clips"]]
    assert [name for name, _ in outcome.previews] == [f"{clip}.{k}.jpg" for clip in ids for k in range(3)]
    pictures = [cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) for _, jpeg in outcome.previews]
    assert {picture.shape for picture in pictures} == {(64, 96, 3)}
    assert all(np.abs(a.astype(int) - b).mean() > 5 for a, b in pairwise(pictures))


def test_every_clip_has_a_preview_even_where_frames_are_rare(measured):
    times = [0, 1, 3, 4, 55, 56, 57, 140]
    log = measured(film(8), pts=times, time_base=Fraction(1, 24))
    shots = [Shot(0, 2, Transition.edge, Transition.cut), Shot(2, 5, Transition.cut, Transition.cut)]
    found = assemble(log, shots, probe(), ScanRules(min_clip_s=2, guard_frames=0), VIDEO)
    assert [row["start_frame"] for row in found.rows["clips"]] == [2]
    assert len(found.previews) >= 1
    assert found.rows["scores/scan"][0]["luma_mean"] is not None


def test_a_still_image_gives_one_clip_of_one_frame(measured):
    shot = Shot(0, 1, Transition.edge, Transition.edge)
    found = assemble(measured(film(1)), [shot], probe(is_image=True), ScanRules(min_clip_s=2), VIDEO)
    assert [row["num_frames"] for row in found.rows["clips"]] == [1]
    assert len(found.previews) == 1
    assert found.rows["scores/scan"][0]["motion_mean"] is None


def test_uneven_frames_are_a_variable_rate_and_rounded_ones_are_not(measured):
    uneven = measured(film(40), pts=np.cumsum([40, 80] * 20).tolist(), time_base=Fraction(1, 1000))
    rounded = measured(film(40), pts=[round(k * 1000 / 60) for k in range(40)], time_base=Fraction(1, 1000))
    shots = [Shot(0, 40, Transition.edge, Transition.edge)]
    assert assemble(uneven, shots, probe(), ScanRules(min_clip_s=2), VIDEO).counts["is_vfr"] is True
    assert assemble(rounded, shots, probe(), ScanRules(min_clip_s=2), VIDEO).counts["is_vfr"] is False


def test_a_fade_to_white_over_the_bars_too_takes_no_border_away(measured):
    frames = [frame.copy() for frame in film(150)]
    for frame in frames:
        frame[:, :16] = frame[:, 80:] = 0
    # Frame 48, which is looked at, is the last that the clip holds, and the first of the fade.
    for k in range(48, 72):
        frames[k] = cv2.addWeighted(frames[k], 1 - (k - 47) / 24, np.full_like(frames[k], 255), (k - 47) / 24, 0)
    shots = [Shot(0, 49, Transition.edge, Transition.fade), Shot(72, 150, Transition.fade, Transition.edge)]
    outcome = assemble(measured(frames), shots, probe(), ScanRules(min_clip_s=2, guard_frames=0), VIDEO)
    clips = outcome.rows["clips"]
    assert [(row["start_frame"], row["end_frame"]) for row in clips] == [(0, 49), (72, 150)]
    assert [(row["crop_x"], row["crop_width"]) for row in clips] == [(16, 64), (16, 64)]


@pytest.mark.parametrize("aspect", [Fraction(1), Fraction(2)])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_displayed_crop_holds_the_same_picture_as_the_stored_one(measured, rotation, mirrored, aspect):
    """Mark the cropped part in a picture, display that picture, and look where the mark went."""
    crop = Crop(10, 6, 40, 22)
    stored = np.zeros((64, 96), np.uint8)
    stored[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width] = 1
    shown = stored[:, ::-1] if mirrored else stored
    shown = np.rot90(shown.repeat(int(aspect), axis=1), -rotation // 90)
    rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
    expected = Crop(int(columns[0]), int(rows[0]), len(columns), len(rows))
    turned = probe(rotation_deg=rotation, is_mirrored=mirrored, sample_aspect=aspect)
    assert displayed(crop, measured(film(1)), turned) == expected


def test_a_cut_that_the_shots_do_not_tell_of_is_in_no_clip(measured):
    log = measured([*film(120), *film(200)[:80:-1]])
    shots = [Shot(0, 160, Transition.edge, Transition.split), Shot(160, 239, Transition.split, Transition.edge)]
    found = assemble(log, shots, probe(), ScanRules(min_clip_s=1), VIDEO)
    assert [(row["start_frame"], row["end_frame"]) for row in found.rows["shots"]] == [(0, 160), (160, 239)]
    assert [(row["start_frame"], row["end_frame"], row["transition_out"]) for row in found.rows["clips"]] == [
        (0, 119, "cut"),
        (121, 159, "split"),
        (161, 239, "edge"),
    ]
    assert [row["clip_id"] for row in found.rows["scores/scan"]] == [row["clip_id"] for row in found.rows["clips"]]


@pytest.mark.parametrize("detector", ["default", "content", "adaptive"])
def test_shown_a_clip_alone_the_detector_finds_nothing_in_it(measured, detector):
    log = measured([*film(90), *film(150)[:60:-1], *film(60)])
    rules = ScanRules(min_clip_s=0.5, max_clip_s=2, detector=detector)
    shots = [Shot(0, log.num_frames - 1, Transition.edge, Transition.cut)]
    clips = assemble(log, shots, probe(), rules, VIDEO).rows["clips"]
    assert clips
    for clip in clips:
        span = slice(clip["start_frame"], clip["end_frame"])
        again = detect(log.thumbs[span], log.times_s[span], name=detector)
        assert [(shot.start_frame, shot.end_frame) for shot in again] == [(0, clip["num_frames"])]
