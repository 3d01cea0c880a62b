from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

import pipeline.scan.measure
from pipeline.scan.measure import FrameMeter
from pipeline.scan.rules import ScanRules


def flat(level: int, width: int = 96, height: int = 64) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def test_change_is_measured_in_full_range_levels_for_both_ranges(measured):
    for fmt in ("yuv420p", "yuvj420p"):
        log = measured([flat(100), flat(100), flat(140), flat(140)], fmt=fmt)
        assert log.change == pytest.approx([0, 0, 40, 0], abs=1.2)
        assert log.changed_area.tolist() == [0, 0, 1, 0]


def test_one_look_a_second_and_every_frame_in_the_thumbnails(measured):
    log = measured([flat(k) for k in range(100)], rate=24)
    assert len(log.thumbs) == 100
    assert log.look_frames.tolist() == [0, 24, 48, 72, 96]


def test_shorter_clips_are_looked_at_more_often(measured):
    log = measured([flat(k) for k in range(48)], rate=24, rules=ScanRules(min_clip_s=0.25))
    assert np.diff(log.look_frames).max() <= 6


def test_thumbnails_that_outgrow_memory_come_back_from_a_file(monkeypatch, measured):
    inside = measured([flat(k) for k in range(150)])
    monkeypatch.setattr(pipeline.scan.measure, "_SPILL_FRAMES", 100)
    spilled = measured([flat(k) for k in range(150)])
    assert isinstance(spilled.thumbs, np.memmap)
    assert np.array_equal(spilled.thumbs, inside.thumbs)


def test_a_picture_whose_size_changes_midway_is_measured_on(measured):
    sizes = [(96, 64)] * 30 + [(64, 96)] * 30 + [(128, 128)] * 30
    log = measured([flat(50 + k, *size) for k, size in enumerate(sizes)])
    assert (log.frame_width, log.frame_height) == (96, 64)
    assert log.look_rows.shape[1] == 64
    assert log.num_frames == 90


def test_frames_are_held_no_longer_than_one_step():
    meter = FrameMeter(Fraction(1, 24), ScanRules())
    with pytest.raises(ValueError, match="no frame"):
        meter.finish(0, num_bad_packets=0, num_repaired_pts=0)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (7, 3), (3, 700), (1921, 17)])
def test_pictures_of_any_shape_can_be_measured(size):
    meter = FrameMeter(Fraction(1, 24), ScanRules())
    for k in range(30):
        meter.add(k, av.VideoFrame.from_ndarray(flat(8 * k, *size)).reformat(format="yuv444p"))
    log = meter.finish(30, num_bad_packets=0, num_repaired_pts=0)
    assert np.isfinite(log.pair_motion).all()
    assert np.isfinite(log.look_detail).all()
