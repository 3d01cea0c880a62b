from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from pipeline.media.container import quiet
from pipeline.scan.frame_log import FrameLog
from pipeline.scan.join import join_logs
from pipeline.scan.measure import FrameMeter
from pipeline.scan.rules import ScanRules

Picture = np.ndarray


@pytest.fixture(scope="session", autouse=True)
def silence() -> None:
    quiet()
    cv2.setNumThreads(1)


def texture(width: int, height: int, seed: int = 0, cell: int = 12) -> Picture:
    """A smooth random RGB picture with detail at several sizes."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for size in (cell, cell * 4):
        coarse = rng.uniform(0, 255, (height // size + 2, width // size + 2, 3)).astype(np.float32)
        picture += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) / 2
    return np.clip(picture, 0, 255).astype(np.uint8)


def pan(width: int, height: int, frames: int, px: float, seed: int = 0, down_px: float = 0.0) -> list[Picture]:
    """A camera that moves left over a still picture: the picture moves `px` to the right in each frame."""
    reach = int(abs(px) * frames) + int(abs(down_px) * frames) + 8
    wide = texture(width + 2 * reach, height + 2 * reach, seed)
    shots = []
    for k in range(frames):
        shift = np.array([[1, 0, px * k - reach], [0, 1, down_px * k - reach]], np.float32)
        shots.append(cv2.warpAffine(wide, shift, (width, height), flags=cv2.INTER_LINEAR))
    return shots


def frames_of(pictures: list[Picture], fmt: str = "yuv420p") -> Iterator[av.VideoFrame]:
    for picture in pictures:
        yield av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24").reformat(format=fmt)


@pytest.fixture
def measured() -> Callable[..., FrameLog]:
    """Measure pictures as if they had been decoded, without any codec."""

    def measure(
        pictures: list[Picture],
        *,
        fmt: str = "yuv420p",
        rate: int = 24,
        pts: list[int] | None = None,
        time_base: Fraction | None = None,
        rules: ScanRules | None = None,
    ) -> FrameLog:
        rules = rules or ScanRules()
        base = time_base or Fraction(1, rate)
        times = pts or list(range(len(pictures)))
        meter = FrameMeter(base, rules)
        for time, frame in zip(times, frames_of(pictures, fmt), strict=True):
            meter.add(time, frame)
        return join_logs([meter.finish(times[-1] + 1, num_bad_packets=0, num_repaired_pts=0)], rules)

    return measure


@pytest.fixture
def write_video(tmp_path: Path) -> Callable[..., Path]:
    """Encode pictures to a file."""

    def write(
        pictures: list[Picture],
        *,
        name: str = "video.mp4",
        codec: str = "libx264",
        fmt: str = "yuv420p",
        rate: int = 24,
        crf: int = 23,
        keyframe_every: int = 24,
    ) -> Path:
        path = tmp_path / name
        height, width = pictures[0].shape[:2]
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=rate)
            stream.width, stream.height, stream.pix_fmt = width, height, fmt
            stream.options = {"crf": str(crf), "preset": "ultrafast", "g": str(keyframe_every), "bf": "0"}
            stream.codec_context.thread_count = 1
            for k, frame in enumerate(frames_of(pictures, fmt)):
                frame.pts, frame.time_base = k, Fraction(1, rate)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return write
