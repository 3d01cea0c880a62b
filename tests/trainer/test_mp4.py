from __future__ import annotations

import io

import av
import numpy as np
import pytest

from trainer.clip_reader import ClipFrames
from trainer.mp4 import mp4_bytes


def frames_of(num: int) -> ClipFrames:
    ramp = np.linspace(0, 200, 96 * 64 * 3).reshape(64, 96, 3)
    pixels = np.stack([ramp + 10 * k for k in range(num)]).astype(np.uint8)
    return ClipFrames(pixels, tuple(k * 0.1 + 0.02 * (k % 2) for k in range(num)))


@pytest.mark.parametrize("num", [1, 9])
def test_frames_come_back_at_their_times(num: int) -> None:
    frames = frames_of(num)
    with av.open(io.BytesIO(mp4_bytes(frames, 12))) as container:
        found = list(container.decode(video=0))
    assert [frame.time for frame in found] == pytest.approx(frames.times_s, abs=1e-4)
    pixels = np.stack([frame.to_ndarray(format="rgb24") for frame in found]).astype(int)
    assert float(np.abs(pixels - frames.pixels).mean()) < 3


def test_the_same_frames_give_the_same_bytes() -> None:
    assert mp4_bytes(frames_of(5), 20) == mp4_bytes(frames_of(5), 20)
    assert len(mp4_bytes(frames_of(5), 45)) < len(mp4_bytes(frames_of(5), 5))
