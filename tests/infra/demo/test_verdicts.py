from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from infra.demo.compare import Tally
from infra.demo.truth import CopyOf, Crop, Defect, FilmTruth, ShotTruth
from infra.demo.verdicts import SourceSpan, judge_duplicates, judge_selection, kind_of

FILM = FilmTruth(
    video="a.mp4",
    num_frames=200,
    width=320,
    height=180,
    frame_rate=Fraction(25),
    shots=(
        ShotTruth(start_frame=0, end_frame=100, start_s=0, end_s=4, transition_in="edge", transition_out="cut"),
        ShotTruth(
            start_frame=100,
            end_frame=200,
            start_s=4,
            end_s=8,
            transition_in="cut",
            transition_out="edge",
            crop=Crop(0, 20, 320, 140),
        ),
    ),
    defects=(Defect("freeze", "at the end", 40, 100), Defect("letterbox", "bars", 100, 200)),
)


def clip(start: int, end: int, reason: str | None = None, crop: Crop | None = None) -> dict[str, Any]:
    crop = crop or Crop(0, 0, 320, 180)
    box = {f"crop_{name}": getattr(crop, name) for name in ("x", "y", "width", "height")}
    return {"video": "a.mp4", "start_frame": start, "end_frame": end, "reason": reason, **box}


@pytest.mark.parametrize(
    ("start", "end", "kind"),
    [
        pytest.param(0, 100, "freeze", id="most of it"),
        pytest.param(0, 80, "none", id="just half of it"),
        pytest.param(0, 40, "none", id="none of it"),
        pytest.param(90, 150, "letterbox", id="more of the next"),
    ],
)
def test_a_clip_carries_what_most_of_its_frames_do(start: int, end: int, kind: str) -> None:
    assert kind_of(FILM, start, end)[0] == kind


def test_reasons_count_for_their_own_kind_and_against_any_other() -> None:
    right, mistakes = judge_selection([clip(0, 100, "frozen")], {"a.mp4": FILM})
    assert right["freeze"] == Tally(hits=1)
    assert not mistakes
    wrong, mistakes = judge_selection([clip(0, 100, "blurred")], {"a.mp4": FILM})
    assert (wrong["freeze"], wrong["blur"]) == (Tally(misses=1), Tally(false_alarms=1))
    assert [(mistake.truth, mistake.found) for mistake in mistakes] == [("freeze (at the end)", "blurred")]
    kept, _ = judge_selection([clip(0, 100)], {"a.mp4": FILM})
    assert kept["freeze"] == Tally(misses=1)
    other, mistakes = judge_selection([clip(0, 40, "duplicate")], {"a.mp4": FILM})
    assert set(other.values()) == {Tally()}
    assert not mistakes


def test_a_border_is_found_where_the_crop_takes_it_off() -> None:
    bars = Crop(0, 21, 320, 138)
    for crop, expected in ((bars, Tally(hits=1)), (None, Tally(misses=1)), (Crop(0, 30, 320, 120), Tally(0, 1, 1))):
        tallies, _ = judge_selection([clip(100, 200, crop=crop)], {"a.mp4": FILM})
        assert tallies["letterbox"] == expected
    tallies, mistakes = judge_selection([clip(0, 40, crop=bars)], {"a.mp4": FILM})
    assert tallies["letterbox"] == Tally(false_alarms=1)
    assert len(mistakes) == 1


def test_tallies_give_precision_and_recall() -> None:
    tally = Tally(hits=3, false_alarms=1) + Tally(hits=3, misses=2)
    assert (tally.precision, tally.recall) == (6 / 7, 6 / 8)
    assert (Tally().precision, Tally().recall) == (1, 1)


COPIES = {"fast.mp4": CopyOf("a.mp4", "faster", 1.0, 9.0, 1.25), "flip.mp4": CopyOf("a.mp4", "mirror", 0.0, 8.0)}


def span(clip_id: str, video: str, start_s: float, end_s: float) -> SourceSpan:
    return SourceSpan.of({"clip_id": clip_id, "video": video, "start_s": start_s, "end_s": end_s}, COPIES)


SPANS = [
    span("a1", "a.mp4", 0, 4),
    span("a2", "a.mp4", 4, 8),
    span("f1", "fast.mp4", 0, 2.4),
    span("f2", "fast.mp4", 2.4, 5.6),
    span("m1", "flip.mp4", 0, 4),
    span("b1", "b.mp4", 0, 4),
]


def test_a_copy_is_placed_in_the_time_of_its_source() -> None:
    assert (SPANS[3].start_s, SPANS[3].end_s) == (4.0, 8.0)
    assert SPANS[3].is_same(SPANS[1])
    assert not SPANS[3].common_s(SPANS[0])


def test_duplicates_are_found_whichever_clip_stays() -> None:
    # a1 goes with m1, whose copy stays; f1 goes with it too; f2 is missed; b1 is no copy of anything.
    tallies = judge_duplicates(SPANS, {"a1": "m1", "f1": "a1", "b1": "a2"})
    assert tallies["faster"] == Tally(hits=1, misses=1)
    assert tallies["mirror"] == Tally(hits=1)
    assert tallies[""] == Tally(false_alarms=1)


def test_a_duplicate_of_another_part_of_the_film_is_wrong() -> None:
    tallies = judge_duplicates(SPANS, {"f2": "a1", "m1": "a1"})
    assert tallies["faster"] == Tally(false_alarms=1, misses=2)


def test_duplicates_in_a_circle_end_all_the_same() -> None:
    assert judge_duplicates(SPANS, {"a1": "m1", "m1": "a1"})["mirror"].misses in (0, 1)
