from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.scan.clips import clips_of, cut
from schemas.clip import Shot, Transition

edge_lists = st.lists(st.integers(1, 400), min_size=1, max_size=60).map(lambda steps: np.cumsum([7, *steps]))


@given(edge_lists, st.floats(50, 3000))
def test_cut_covers_the_shot_without_gap_overlap_or_empty_piece(edges, max_ticks):
    bounds = cut(edges, max_ticks)
    assert bounds[0] == 0
    assert bounds[-1] == len(edges) - 1
    assert all(a < b for a, b in pairwise(bounds))


@given(edge_lists, st.floats(50, 3000))
def test_no_piece_is_too_long_but_a_single_long_frame(edges, max_ticks):
    bounds = cut(edges, max_ticks)
    for start, end in pairwise(bounds):
        assert edges[end] - edges[start] <= max_ticks or end == start + 1


@given(edge_lists, st.floats(50, 3000))
def test_no_way_of_cutting_between_frames_needs_fewer_pieces(edges, max_ticks):
    fewest, start = 0, 0
    while start < len(edges) - 1:
        last = max(start + 1, int(np.searchsorted(edges, edges[start] + max_ticks, side="right")) - 1)
        fewest, start = fewest + 1, last
    assert len(cut(edges, max_ticks)) - 1 == fewest


@pytest.mark.parametrize(
    ("num_frames", "max_frames", "pieces"),
    [
        pytest.param(240, 240, [240], id="exactly the longest"),
        pytest.param(241, 240, [120, 121], id="one frame more gives two halves"),
        pytest.param(600, 240, [200, 200, 200], id="thirds"),
        pytest.param(1, 240, [1], id="one frame"),
    ],
)
def test_pieces_are_nearly_equal_at_a_constant_rate(num_frames, max_frames, pieces):
    bounds = cut(np.arange(num_frames + 1) * 512, max_frames * 512.0)
    assert sorted(np.diff(bounds).tolist()) == pieces


def clips(shots, edges, **limits):
    return clips_of(shots, np.array(edges), video_id="v", time_base=Fraction(1, 10), **limits)


def test_a_shot_that_is_too_short_gives_no_clip_and_the_next_keeps_its_number():
    shots = [
        Shot(0, 5, Transition.edge, Transition.cut),
        Shot(5, 60, Transition.cut, Transition.fade),
    ]
    found = clips(shots, range(61), min_clip_s=2, max_clip_s=10)
    assert [(clip.shot_index, clip.start_frame, clip.end_frame) for clip in found] == [(1, 5, 60)]
    assert (found[0].span.start_s, found[0].span.end_s) == (0.5, 6.0)


def test_inner_ends_of_a_cut_shot_are_splits():
    found = clips([Shot(0, 250, Transition.fade, Transition.wipe)], range(251), min_clip_s=2, max_clip_s=10)
    assert [(str(clip.transition_in), str(clip.transition_out)) for clip in found] == [
        ("fade", "split"),
        ("split", "split"),
        ("split", "wipe"),
    ]


def test_the_last_frame_lasts_until_its_own_end():
    found = clips([Shot(0, 3, Transition.edge, Transition.edge)], [0, 1, 2, 40], min_clip_s=2, max_clip_s=10)
    assert found[0].span.duration_s == 4.0


def test_a_clip_leaves_out_the_frames_beside_a_transition_and_no_others():
    shots = [Shot(0, 30, Transition.edge, Transition.cut), Shot(30, 61, Transition.cut, Transition.fade)]
    found = clips(shots, range(62), min_clip_s=0.5, max_clip_s=2, guard_frames=1)
    assert [(clip.start_frame, clip.end_frame) for clip in found] == [(0, 14), (14, 29), (31, 45), (45, 60)]
    assert [clip.transition_out for clip in found[::2]] == [Transition.split, Transition.split]
    assert [clip.transition_out for clip in found[1::2]] == [Transition.cut, Transition.fade]


def test_a_shot_of_nothing_but_guard_frames_gives_no_clip():
    assert (
        clips([Shot(3, 5, Transition.cut, Transition.cut)], range(9), min_clip_s=0.1, max_clip_s=2, guard_frames=1)
        == []
    )
