from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from infra.bench.long_video import Event, Hour, draw_hour, extracted, is_near, write_dataset


@pytest.fixture(scope="module")
def hour() -> Hour:
    """Ten minutes are enough here."""
    return draw_hour(seed=3, num_clips=120)


def test_what_is_planted_is_in_the_caption_of_its_time(hour: Hour) -> None:
    assert len(hour.captions) == 120
    assert len({event.sentence for event in hour.planted}) == 20
    for event in hour.planted:
        holders = [place for place, text in enumerate(hour.captions) if event.sentence in text]
        assert holders == [int(event.time_s // 5)]
    assert hour.collisions
    assert draw_hour(seed=3, num_clips=120) == hour


def test_planted_events_are_named_with_their_times_in_parts_and_text(hour: Hour, tmp_path: Path) -> None:
    in_parts, collisions, in_text, _ = extracted(write_dataset(tmp_path / "ds", hour), hour)
    assert in_parts.value == collisions.value == 1
    assert in_text.value is not None
    assert in_text.value >= 0.9
    # Were they planted elsewhere, nothing would be near.
    late = replace(hour, planted=[Event(event.sentence, event.time_s + 60) for event in hour.planted])
    assert [figure.value for figure in extracted(write_dataset(tmp_path / "late", hour), late)][::2] == [0, 0]


def test_a_time_is_near_within_five_seconds() -> None:
    event = Event("A wolf rings a bell.", 100.0)
    assert is_near(event, [(0.0, "x"), (95.0, "There. A wolf rings a bell. Here.")])
    assert not is_near(event, [(94.0, "A wolf rings a bell."), (100.0, "A wolf sings.")])
