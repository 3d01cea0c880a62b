"""A clip's frames as an MP4 file, for people and for whoever wants pixels beside latents: the same bytes every time."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np

from trainer.clip_reader import ClipFrames

_TIME_BASE = Fraction(1, 90_000)


def mp4_bytes(frames: ClipFrames, crf: int) -> bytes:
    """H.264 in MP4, each frame at its own time.

    Args:
        frames: Sides are even.
        crf: x264's quality, 0 to 51; 18 is next to no loss to the eye.
    """
    file = io.BytesIO()
    height, width = frames.pixels.shape[1:3]
    # Without `bitexact` the file would name the library that wrote it.
    with av.open(file, "w", format="mp4", options={"fflags": "bitexact"}) as container:
        # One thread: how many there are would change the bytes.
        stream = container.add_stream("libx264", rate=25, options={"crf": str(crf), "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = _TIME_BASE
        for pixels, time_s in zip(frames.pixels, frames.times_s, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = round(time_s / _TIME_BASE), _TIME_BASE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()
