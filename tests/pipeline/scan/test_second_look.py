from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.scan.second_look import MOST_LOOKS, guarded, unbroken
from pipeline.shots import Event
from pipeline.shots.event import merge_events, shots_between
from schemas.clip import Shot, Transition

PART = Shot(100, 200, Transition.cut, Transition.split)


def looking(*events: Event):
    """A detector that sees these transitions, in frames of the video, wherever it is shown their frames."""
    seen = []

    def look(start: int, end: int) -> list[Shot]:
        seen.append((start, end))
        inside = [
            Event(max(event.start_frame, start) - start, min(event.end_frame, end) - start, event.kind, 1.0)
            for event in events
            if start < event.end_frame and event.start_frame < end
        ]
        return shots_between(merge_events(inside), end - start)

    look.seen = seen  # type: ignore[attr-defined]
    return look


def parts(look, *, guard_frames=1, least=10):
    found = unbroken(PART, look, guard_frames=guard_frames, is_enough=lambda shot: shot.num_frames >= least)
    return [(shot.start_frame, shot.end_frame, str(shot.transition_in), str(shot.transition_out)) for shot in found]


def test_a_part_in_which_nothing_is_found_stays_as_it_is_after_one_look():
    look = looking()
    assert parts(look) == [(100, 200, "cut", "split")]
    assert look.seen == [(100, 200)]


def test_a_transition_inside_gives_two_parts_without_its_frames_and_their_neighbours():
    look = looking(Event(140, 150, Transition.dissolve, 1.0))
    assert parts(look) == [(100, 139, "cut", "dissolve"), (151, 200, "dissolve", "split")]


@pytest.mark.parametrize(
    ("event", "left"),
    [
        pytest.param(Event(90, 103, Transition.fade, 1.0), (104, 200, "fade", "split"), id="at the beginning"),
        pytest.param(Event(198, 220, Transition.wipe, 1.0), (100, 197, "cut", "wipe"), id="at the end"),
    ],
)
def test_a_transition_at_an_end_is_taken_off_it(event, left):
    assert parts(looking(event)) == [left]


def test_what_is_left_is_looked_at_until_nothing_is_found_in_it():
    """The second transition is seen only where the first is not shown."""

    def look(start: int, end: int) -> list[Shot]:
        frame = 130 if end == 200 and start == 100 else 115
        events = [Event(frame - start, frame - start, Transition.cut, 1.0)] if start < frame < end else []
        return shots_between(events, end - start)

    assert parts(look) == [(100, 114, "cut", "cut"), (116, 129, "cut", "cut"), (131, 200, "cut", "split")]


def test_a_part_that_is_too_short_is_not_kept_nor_looked_at():
    look = looking(Event(105, 110, Transition.dissolve, 1.0))
    assert parts(look) == [(111, 200, "dissolve", "split")]
    assert look.seen == [(100, 200), (111, 200)]


def test_what_is_cut_at_every_look_gives_nothing_after_the_last():
    num_seen = 0

    def look(start: int, end: int) -> list[Shot]:
        nonlocal num_seen
        num_seen += 1
        return shots_between([Event(1, 1, Transition.cut, 1.0)], end - start)

    assert parts(look, least=2) == []
    assert num_seen == MOST_LOOKS


@given(
    st.lists(st.tuples(st.integers(90, 210), st.integers(1, 12)), max_size=6),
    st.integers(0, 2),
)
def test_parts_are_in_order_apart_and_free_of_what_is_found(spans, guard_frames):
    events = [Event(start, start + length, Transition.dissolve, 1.0) for start, length in spans]
    found = parts(looking(*events), guard_frames=guard_frames)
    for start, end, _, _ in found:
        assert 100 <= start < end <= 200
        assert all(event.end_frame <= start or end <= event.start_frame for event in events)
    assert all(before[1] <= after[0] for before, after in pairwise(found))


def test_guards_are_taken_off_at_transitions_only():
    assert guarded(Shot(0, 9, Transition.edge, Transition.cut), 2) == Shot(0, 7, Transition.edge, Transition.cut)
    assert guarded(Shot(3, 5, Transition.cut, Transition.cut), 1) is None
