"""Write pictures as a video file in any codec, pixel format, timing, range, aspect and rotation.

One thread, no date in the file: the same pictures give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import cast

import av
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream

Image = npt.NDArray[np.uint8]
"""An RGB picture, (H, W, 3), 0 to 255."""

DeepImage = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""An RGB picture, (H, W, 3), full scale."""

FAST_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "libx264": {"preset": "superfast", "crf": "20"},
    "libx265": {
        "preset": "ultrafast",
        "crf": "22",
        "x265-params": "log-level=none:pools=none:frame-threads=1",
    },
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "28", "b": "0"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "crf": "12", "b": "2000000"},
    "libsvtav1": {"preset": "12", "crf": "28", "svtav1-params": "lp=1"},
    "mpeg4": {"b": "3000000"},
    "mjpeg": {"qmin": "2", "qmax": "4"},
}
"""What each encoder is told so that small films are written quickly."""

MATRICES: Mapping[str, tuple[Colorspace, int]] = {
    "bt709": (Colorspace.ITU709, 1),
    "bt601": (Colorspace.SMPTE170M, 6),
    "bt2020": (Colorspace.BT2020, 9),
}
"""By name: swscale's name and FFmpeg's code point (ITU-T H.273)."""

SOUND_RATE = 48000
SOUND_FRAME = 960
"""Samples handed over at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How a film is written."""

    codec: str = "libx264"
    """FFmpeg's encoder: `libx264, libx265, libvpx-vp9, libvpx, libsvtav1, mpeg4, mjpeg, ffv1, prores_ks`"""
    pixel_format: str = "yuv420p"
    frame_rate: Fraction = Fraction(25)
    """Nominal; frames are this far apart unless `pts` says otherwise."""
    time_base: Fraction | None = None
    """Of `pts`; None for one tick a frame."""
    full_range: bool = False
    matrix: str = "bt709"
    """A key of `MATRICES`."""
    tag_color: bool = True
    """Whether the file says its matrix, primaries, transfer and range."""
    transfer: int = 1
    """Code point of the transfer (1 BT.709, 16 PQ, 18 HLG): written, not applied."""
    primaries: int = 1
    """Code point of the primaries (1 BT.709, 9 BT.2020): written, not applied."""
    sample_aspect: Fraction = Fraction(1)
    """Width over height of one pixel; the pictures given are as coded."""
    rotation_deg: int = 0
    """Clockwise turn that a player applies; the pictures given are as displayed and turned back here."""
    interlaced: bool = False
    """Code and mark as top field first. `weave` makes such pictures."""
    gop_size: int = 48
    """Frames from one keyframe to the next, at most."""
    audio: bool = False
    """Add a track with a soft tone."""
    options: Mapping[str, str] = field(default_factory=dict)
    """For the encoder, over those of `FAST_OPTIONS`."""


def encode(
    path: Path | str,
    frames: Iterable[DeepImage],
    encoding: Encoding | None = None,
    *,
    pts: Sequence[int] | None = None,
) -> int:
    """Write pictures to a file whose ending names the container.

    Args:
        path: Ends in `.mp4, .mov, .mkv, .webm, .avi, .ts` or any other that FFmpeg can write.
        frames: (H, W, 3) RGB as displayed, all of one size; uint8, or uint16 for true high bit depth.
        encoding: None for H.264 at 25 frames a second.
        pts: Time of each frame in `encoding.time_base`, strictly increasing; None for a constant rate.

    Returns:
        How many frames were written.

    Raises:
        ValueError: There are no frames.
    """
    encoding = encoding or Encoding()
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        raise ValueError(f"no frames for {path}")
    muxer = {"fflags": "+bitexact"} | ({"video_track_timescale": "90000"} if _is_mp4(path) and pts else {})
    with av.open(str(path), "w", options=muxer) as output:
        stream = _add_video(output, encoding, _turn_back(first, encoding.rotation_deg).shape)
        sound = _add_sound(output, path) if encoding.audio else None
        time_base = encoding.time_base or 1 / encoding.frame_rate
        # One for all frames: a frame's own would set its conversion up anew each time.
        reformatter = VideoReformatter()
        num_frames = tick = duration = 0
        for num_frames, picture in enumerate(chain([first], pictures), 1):
            tick, duration = _tick(num_frames - 1, pts)
            frame = _to_frame(_turn_back(picture, encoding.rotation_deg), encoding, reformatter)
            frame.pts, frame.duration, frame.time_base = tick, duration, time_base
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if sound is not None:
            for tone in _tone(float((tick + duration) * time_base)):
                output.mux(sound.encode(tone))
            output.mux(sound.encode(None))
    return num_frames


def weave(frames: Iterable[Image]) -> Iterator[Image]:
    """Interlaced pictures, top field first: even lines of one frame and odd lines of the next.

    Args:
        frames: At twice the rate of what comes out; a last odd one is dropped.
    """
    pictures = iter(frames)
    for top, bottom in zip(pictures, pictures, strict=False):
        picture = top.copy()
        picture[1::2] = bottom[1::2]
        yield picture


def decode(path: Path | str) -> Iterator[Image]:
    """Plain RGB pictures of a file, unrotated, as FFmpeg converts them: to look at what was made."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield cast(Image, frame.to_ndarray(format="rgb24"))


def _is_mp4(path: Path | str) -> bool:
    return Path(path).suffix.lower() in (".mp4", ".mov", ".m4v")


def _add_video(output: OutputContainer, encoding: Encoding, shape: tuple[int, ...]) -> VideoStream:
    options = {**FAST_OPTIONS.get(encoding.codec, {}), **encoding.options}
    flags = "+bitexact" + ("+ildct+ilme" if encoding.interlaced else "")
    if encoding.interlaced and encoding.codec == "libx264":
        options["x264-params"] = "tff=1"
    stream = cast(
        VideoStream,
        output.add_stream(encoding.codec, encoding.frame_rate, options={"flags": flags, **options}),
    )
    stream.height, stream.width = shape[:2]
    stream.pix_fmt = encoding.pixel_format
    context = stream.codec_context
    context.thread_count = 1
    context.time_base = encoding.time_base or 1 / encoding.frame_rate
    context.gop_size = encoding.gop_size
    context.sample_aspect_ratio = encoding.sample_aspect
    if encoding.tag_color:
        context.color_range = int(ColorRange.JPEG if encoding.full_range else ColorRange.MPEG)
        context.colorspace = 0 if encoding.pixel_format.startswith("gbr") else MATRICES[encoding.matrix][1]
        context.color_trc, context.color_primaries = encoding.transfer, encoding.primaries
    if encoding.rotation_deg:
        stream.set_display_rotation(-encoding.rotation_deg)  # FFmpeg counts it counter-clockwise
    return stream


def _add_sound(output: OutputContainer, path: Path | str) -> AudioStream:
    codec = "libopus" if Path(path).suffix.lower() == ".webm" else "aac"
    stream = cast(AudioStream, output.add_stream(codec, SOUND_RATE, options={"flags": "+bitexact"}))
    stream.codec_context.layout = "mono"
    return stream


def _tick(index: int, pts: Sequence[int] | None) -> tuple[int, int]:
    """Time and length of a frame; the last one is as long as the one before."""
    if pts is None:
        return index, 1
    if index >= len(pts):
        raise ValueError(f"{len(pts)} times for more frames than that")
    after = index if index + 1 < len(pts) else max(index - 1, 0)
    return pts[index], pts[after + 1] - pts[after] if len(pts) > 1 else 1


def _turn_back(picture: DeepImage, rotation_deg: int) -> DeepImage:
    """The coded picture which, turned clockwise by `rotation_deg`, shows `picture`."""
    return np.ascontiguousarray(np.rot90(picture, rotation_deg // 90)) if rotation_deg else picture


def _to_frame(picture: DeepImage, encoding: Encoding, reformatter: VideoReformatter) -> av.VideoFrame:
    source = "rgb48le" if picture.dtype == np.uint16 else "rgb24"
    frame = av.VideoFrame.from_ndarray(picture, format=source)
    if encoding.pixel_format.startswith(("gbr", "rgb", "bgr", "pal8")):
        return reformatter.reformat(frame, format=encoding.pixel_format)
    return reformatter.reformat(
        frame,
        format=encoding.pixel_format,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.JPEG if encoding.full_range else ColorRange.MPEG,
        dst_colorspace=MATRICES[encoding.matrix][0],
    )


def _tone(duration_s: float) -> Iterator[av.AudioFrame]:
    """A soft 220 Hz tone of at least `duration_s`."""
    for start in range(0, max(1, round(duration_s * SOUND_RATE)), SOUND_FRAME):
        phase = np.arange(start, start + SOUND_FRAME, dtype=np.float32) * np.float32(2 * np.pi * 220 / SOUND_RATE)
        frame = av.AudioFrame.from_ndarray((0.05 * np.sin(phase))[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, start, Fraction(1, SOUND_RATE)
        yield frame
