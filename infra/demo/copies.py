"""Near-duplicates of any video file, with the span of the source that each shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import av.filter
from av.container import InputContainer
from av.video.stream import VideoStream

from infra.demo.encode import FAST_OPTIONS
from infra.demo.truth import CopyOf


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """What is done to a video."""

    filters: tuple[tuple[str, str], ...] = ()
    """Names and arguments of libavfilter's filters, in order."""
    codec: str = "libx264"
    options: Mapping[str, str] = field(default_factory=dict)
    """For the encoder."""
    speed: float = 1.0
    """Above 1 it is over sooner; the frame rate stays."""
    trim_s: tuple[float, float] = (0.0, 0.0)
    """Taken off the beginning and the end, of the source, in seconds."""
    other_rate: bool = False
    """From 30 frames a second to 24, from 25 or fewer to 30."""


def _scaled(share: float) -> tuple[str, str]:
    return "scale", f"w=max(2\\,trunc(iw*{share}/2)*2):h=max(2\\,trunc(ih*{share}/2)*2):flags=bicubic"


def _cropped(left: float, right: float, top: float, bottom: float) -> tuple[str, str]:
    """Shares of the picture taken off each side."""
    width, height = f"trunc(iw*{1 - left - right:.4f}/2)*2", f"trunc(ih*{1 - top - bottom:.4f}/2)*2"
    return "crop", f"w={width}:h={height}:x=iw*{left}:y=ih*{top}"


_BARS_ABOVE = ("pad", "w=iw:h=ceil(ih*1.3/2)*2:x=0:y=(oh-ih)/2")
_BARS_BESIDE = ("pad", "w=ceil(iw*1.35/2)*2:h=ih:x=(ow-iw)/2:y=0")
_MIRROR = ("hflip", "")

TRANSFORMS: Mapping[str, Transform] = {
    "low bit rate": Transform(options={"crf": "36"}),
    "other codec": Transform(codec="libx265", options={"crf": "30"}),
    "old codec": Transform(codec="mpeg4", options={"b": "500000"}),
    "half size": Transform(filters=(_scaled(0.5),)),
    "odd size": Transform(filters=(_scaled(0.73),)),
    "larger": Transform(filters=(_scaled(1.37),)),
    "crop 5 % all round": Transform(filters=(_cropped(0.05, 0.05, 0.05, 0.05),)),
    "crop 10 % of one side": Transform(filters=(_cropped(0.1, 0, 0, 0),)),
    "crop 10 % of the height": Transform(filters=(_cropped(0, 0, 0.03, 0.07),)),
    "letterbox": Transform(filters=(_BARS_ABOVE,)),
    "pillarbox": Transform(filters=(_BARS_BESIDE,)),
    "mirror": Transform(filters=(_MIRROR,)),
    "trimmed": Transform(trim_s=(0.7, 0.6)),
    "other frame rate": Transform(other_rate=True),
    "8 % faster": Transform(speed=1.08),
    "7 % slower": Transform(speed=0.93),
    "small and cropped": Transform(filters=(_cropped(0.04, 0.02, 0.03, 0.03), _scaled(0.6)), options={"crf": "32"}),
    "mirror and letterbox": Transform(filters=(_MIRROR, _BARS_ABOVE)),
    "trimmed and faster": Transform(trim_s=(0.5, 0.4), speed=1.05, codec="libx265", options={"crf": "30"}),
    "small, other rate": Transform(filters=(_scaled(0.55),), other_rate=True, options={"crf": "30"}),
}
"""By name."""


def copy_video(source: Path | str, path: Path | str, how: str) -> CopyOf:
    """Write a near-duplicate of a video's first stream; rotation and sound are not carried over.

    Args:
        source: Any file that FFmpeg decodes.
        path: Ends in `.mp4` or `.mkv`.
        how: A key of `TRANSFORMS`.

    Raises:
        ValueError: There is no such transform, or nothing is left of the video.
    """
    if how not in TRANSFORMS:
        raise ValueError(f"no transform {how!r}; there are {sorted(TRANSFORMS)}")
    transform = TRANSFORMS[how]
    with av.open(str(source)) as given:
        stream = given.streams.video[0]
        stream.codec_context.thread_count = 1
        rate = stream.average_rate or Fraction(25)
        first_s, length_s = _span(Path(source))
        start_s, end_s = transform.trim_s[0], length_s - transform.trim_s[1]
        if end_s - start_s < 2 / rate:
            raise ValueError(f"nothing is left of {source}: it is {length_s:.2f} s long")
        new_rate = (Fraction(24) if rate > 27 else Fraction(30)) if transform.other_rate else rate
        steps = [("setpts", f"(PTS-STARTPTS)/{transform.speed}")]
        if transform.speed != 1 or transform.other_rate:
            steps += [("fps", f"fps={new_rate.numerator}/{new_rate.denominator}")]
        steps += [*transform.filters, ("crop", "w=trunc(iw/2)*2:h=trunc(ih/2)*2:x=0:y=0"), ("format", "yuv420p")]
        _write(
            Path(path),
            _filtered(_between(given, stream, first_s + start_s, first_s + end_s), stream, steps),
            transform,
            new_rate,
        )
    return CopyOf(Path(source).name, how, start_s, end_s, transform.speed)


def _span(source: Path) -> tuple[float, float]:
    """When the first frame is shown, and how long all of them are, in seconds."""
    with av.open(str(source)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        times = sorted(packet.pts for packet in container.demux(stream) if packet.pts is not None)
        frame_s = float(1 / (stream.average_rate or Fraction(25)))
        first_s, last_s = (float(time * stream.time_base) for time in (times[0], times[-1]))
        return first_s, last_s + frame_s - first_s


def _between(given: InputContainer, stream: VideoStream, start_s: float, end_s: float) -> Iterator[av.VideoFrame]:
    """The frames that begin in a span of the file's own time."""
    for frame in given.decode(stream):
        assert frame.time is not None
        if start_s - 1e-6 <= frame.time < end_s - 1e-6:
            yield frame


def _filtered(
    frames: Iterator[av.VideoFrame], stream: VideoStream, steps: list[tuple[str, str]]
) -> Iterator[av.VideoFrame]:
    """Frames after a chain of filters."""
    graph = av.filter.Graph()
    nodes = [graph.add_buffer(template=stream), *(graph.add(name, args) for name, args in steps)]
    graph.link_nodes(*nodes, graph.add("buffersink")).configure()
    for frame in frames:
        graph.push(frame)
        yield from _pulled(graph)
    graph.push(None)
    yield from _pulled(graph)


def _pulled(graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield cast(av.VideoFrame, graph.pull())
        except (BlockingIOError, EOFError):
            return


def _write(path: Path, frames: Iterator[av.VideoFrame], transform: Transform, rate: Fraction) -> None:
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as output:
        stream: VideoStream | None = None
        for frame in frames:
            if stream is None:
                options = {"flags": "+bitexact", **FAST_OPTIONS[transform.codec], **transform.options}
                stream = cast(VideoStream, output.add_stream(transform.codec, rate, options=options))
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv420p"
                stream.codec_context.thread_count = 1
                assert frame.time_base is not None
                stream.codec_context.time_base = max(frame.time_base, Fraction(1, 60_000))
            frame.pict_type = 0
            output.mux(stream.encode(frame))
        if stream is None:
            raise ValueError(f"no frames for {path}")
        output.mux(stream.encode(None))
