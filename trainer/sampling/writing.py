"""Frames as an MP4 or a PNG, whole or not at all, with their record in it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from schemas import ConfigError
from trainer.sampling.provenance import KEY, with_png_text
from trainer.sampling.request import Frames, Size

VIDEO, PICTURE = ".mp4", ".png"
_BT709 = 1
"""Code point of matrix, primaries and transfer. Source: ITU-T H.273, tables 2 to 4."""
_THREADS = 4
"""Of x264, always the same: another number gives other bytes."""


def check_out(path: Path, size: Size | None = None) -> bool:
    """Whether a path is for a video; else it is for a picture.

    Args:
        path: Where to.
        size: Of the output, where it is known.

    Raises:
        ConfigError: Its ending is another one, its folder is not there, or an MP4 cannot have this size.
    """
    suffix = path.suffix.lower()
    if suffix not in (VIDEO, PICTURE):
        raise ConfigError(f"command line: --out ends in {VIDEO} or {PICTURE}, got {path.name}")
    if not path.parent.is_dir():
        raise ConfigError(f"command line: --out: there is no folder {path.parent}")
    if size is not None and suffix == VIDEO and (size.width % 2 or size.height % 2):
        even = f"{size.width + size.width % 2}x{size.height + size.height % 2}"
        raise ConfigError(f"an MP4 has even sides, got {size.width}x{size.height}; {even} is the next size")
    return suffix == VIDEO


def write(path: Path, frames: Frames, rate: Fraction, crf: int, text: str) -> None:
    """Write frames; the ending says as what.

    Args:
        path: Ends in `.mp4`, or for one frame in `.png`.
        frames: uint8 (F, H, W, 3), display RGB.
        rate: Frames a second.
        crf: Of H.264.
        text: The record.

    Raises:
        ConfigError: It cannot be written.
    """
    scratch = path.with_name(f".{path.stem}.tmp{path.suffix}")
    try:
        if path.suffix.lower() == PICTURE:
            scratch.write_bytes(_png(frames[0], text))
        else:
            _write_mp4(scratch, frames, rate, crf, text)
        scratch.replace(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        scratch.unlink(missing_ok=True)


def _png(frame: np.ndarray, text: str) -> bytes:
    is_done, data = cv2.imencode(PICTURE, np.ascontiguousarray(frame[..., ::-1]))
    assert is_done
    return with_png_text(data.tobytes(), text)


def _write_mp4(path: Path, frames: Frames, rate: Fraction, crf: int, text: str) -> None:
    """H.264 in 4:2:0, BT.709, limited range; no date in the file, so that the same frames give the same bytes."""
    with av.open(str(path), "w", options={"fflags": "+bitexact", "movflags": "+faststart"}) as output:
        output.metadata[KEY] = text
        options = {"crf": str(crf), "preset": "medium", "flags": "+bitexact"}
        stream = output.add_stream("libx264", rate, options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.thread_count = _THREADS
        context.time_base = 1 / rate
        context.color_range = int(ColorRange.MPEG)
        context.colorspace = context.color_trc = context.color_primaries = _BT709
        reformatter = VideoReformatter()
        for number, picture in enumerate(frames):
            frame = reformatter.reformat(
                av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24"),
                format="yuv420p",
                src_color_range=ColorRange.JPEG,
                dst_color_range=ColorRange.MPEG,
                dst_colorspace=Colorspace.ITU709,
            )
            frame.pts, frame.time_base = number, 1 / rate
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
