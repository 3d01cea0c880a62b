"""PySceneDetect's own detectors, fed with frames that we decoded."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pipeline.shots.event import Event
from pipeline.shots.signals import CHUNK_FRAMES, Floats, Thumbs
from schemas.clip import Transition

if TYPE_CHECKING:
    from scenedetect import FrameTimecode
    from scenedetect.detector import SceneDetector

_TIME_BASE = Fraction(1, 1_000_000)


def content(thumbs: Thumbs, times_s: Floats, params: Mapping[str, float]) -> list[Event]:
    """`ContentDetector`; params: `threshold` (27), `min_shot_s` (0.6)."""
    from scenedetect.detectors import ContentDetector

    min_shot_s = params.get("min_shot_s", 0.6)
    return _run(
        ContentDetector(threshold=params.get("threshold", 27.0), min_scene_len=f"{min_shot_s}s"),
        thumbs,
        times_s,
    )


def adaptive(thumbs: Thumbs, times_s: Floats, params: Mapping[str, float]) -> list[Event]:
    """`AdaptiveDetector`; params: `threshold` (3.0), `min_content` (15), `window_frames` (2), `min_shot_s` (0.6)."""
    from scenedetect.detectors import AdaptiveDetector

    detector = AdaptiveDetector(
        adaptive_threshold=params.get("threshold", 3.0),
        min_content_val=params.get("min_content", 15.0),
        window_width=int(params.get("window_frames", 2)),
        min_scene_len=f"{params.get('min_shot_s', 0.6)}s",
    )
    return _run(detector, thumbs, times_s)


def _run(detector: SceneDetector, thumbs: Thumbs, times_s: Floats) -> list[Event]:
    """Feed every frame, with its own time, and collect the cuts as frame numbers."""
    from scenedetect import FrameTimecode
    from scenedetect.common import Timecode

    if not len(thumbs):
        return []
    micros = np.round((np.asarray(times_s, np.float64) - times_s[0]) * 1e6).astype(np.int64)
    steps = np.diff(micros)
    # Only seconds -> frames of `min_scene_len` asks for a rate, and that is a length in seconds.
    rate = Fraction(1_000_000, max(1, int(np.median(steps)))) if len(steps) else Fraction(25)
    cuts: list[FrameTimecode] = []
    codes = [FrameTimecode(Timecode(int(time), _TIME_BASE), rate) for time in micros]
    for begin in range(0, len(thumbs), CHUNK_FRAMES):
        for offset, thumb in enumerate(np.asarray(thumbs[begin : begin + CHUNK_FRAMES])):
            cuts += detector.process_frame(codes[begin + offset], bgr(thumb))
    cuts += detector.post_process(codes[-1])
    frames = np.searchsorted(micros, [round(cut.seconds * 1e6) for cut in cuts])
    return [Event(int(frame), int(frame), Transition.cut, 1.0) for frame in frames]


def bgr(thumb: Thumbs) -> Thumbs:
    """A full-range Y, Cb, Cr picture as B, G, R."""
    converted: Thumbs = cv2.cvtColor(thumb[:, :, [0, 2, 1]], cv2.COLOR_YCrCb2BGR)  # type: ignore[assignment]
    return converted
