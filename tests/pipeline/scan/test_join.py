from __future__ import annotations

from dataclasses import fields
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from pipeline.scan.frame_log import FrameLog
from pipeline.scan.join import join_logs
from pipeline.scan.measure import FrameMeter
from pipeline.scan.rules import ScanRules

RULES = ScanRules(preview_px=96)
BASE = Fraction(1, 600)


def moving(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    wide = rng.integers(0, 255, (8, 60), np.uint8).repeat(14, 0).repeat(10, 1)
    return [np.repeat(wide[:, 2 * k : 2 * k + 200, None], 3, axis=2) for k in range(count)]


def measure(pictures, times, end, *, is_beginning=True, fmt="yuv420p") -> FrameLog:
    import av

    meter = FrameMeter(BASE, RULES, is_beginning=is_beginning)
    for time, picture in zip(times, pictures, strict=True):
        meter.add(time, av.VideoFrame.from_ndarray(np.ascontiguousarray(picture)).reformat(format=fmt))
    return meter.finish(end, num_bad_packets=1, num_repaired_pts=2)


def assert_equal(joined: FrameLog, whole: FrameLog) -> None:
    for field in fields(FrameLog):
        ours, theirs = getattr(joined, field.name), getattr(whole, field.name)
        if field.name in ("num_bad_packets", "num_repaired_pts", "edge_luma", "edge_planes", "edge_gain"):
            continue
        assert np.array_equal(ours, theirs), field.name


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([25] * 70, id="24 a second"),
        pytest.param([25, 26, 24, 310, 5, 5, 700, 40, 1300, 20] * 7, id="uneven"),
        pytest.param([700] * 70, id="slower than the grid"),
        pytest.param([1] * 70, id="all in one cell"),
    ],
)
@pytest.mark.parametrize("cuts", [[30], [1], [69], [10, 11, 12], [23, 48]])
def test_segments_join_to_the_log_of_one_pass(steps, cuts):
    times = np.cumsum([-37, *steps[:-1]]).tolist()
    pictures = moving(70)
    end = times[-1] + steps[-1]
    whole = join_logs([measure(pictures, times, end)], RULES)
    bounds = [0, *cuts, 70]
    logs = [
        measure(pictures[a:b], times[a:b], end if b == 70 else times[b], is_beginning=a == 0)
        for a, b in pairwise(bounds)
    ]
    assert_equal(join_logs(logs, RULES), whole)


def test_joined_thumbnails_can_lie_in_a_file(tmp_path):
    times = list(range(0, 1000, 25))
    pictures = moving(40)
    logs = [
        measure(pictures[:15], times[:15], times[15]),
        measure(pictures[15:], times[15:], 1000, is_beginning=False),
    ]
    for k, log in enumerate(logs):
        with (tmp_path / f"{k}.log").open("xb") as file:
            log.write(file)
    opened = [FrameLog.open(tmp_path / f"{k}.log") for k in range(2)]
    joined = join_logs(opened, RULES, tmp_path / "thumbs")
    assert isinstance(joined.thumbs, np.memmap)
    assert_equal(joined, join_logs([measure(pictures, times, 1000)], RULES))
    assert (joined.num_bad_packets, joined.num_repaired_pts) == (2, 4)


def test_segments_that_overlap_are_refused():
    times = list(range(0, 500, 25))
    log = measure(moving(20), times, 500)
    with pytest.raises(ValueError, match="overlap: one ends at 475"):
        join_logs([log, log], RULES)


def test_the_first_frame_of_a_video_is_always_looked_at():
    log = join_logs([measure(moving(3), [1, 2, 3], 4)], RULES)
    assert log.look_frames.tolist() == [0]
    assert log.jpeg(0)[:2] == b"\xff\xd8"
