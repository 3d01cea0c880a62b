"""What a file holds, as its container and its first picture say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice, pairwise
from statistics import median

from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.media.container import open_container, video_stream
from pipeline.media.decode import DecodedFrame, Decoding, frame_rate, read_packets, stream_time_base
from pipeline.media.limits import MediaLimits
from pipeline.media.orientation import Orientation, usable_aspect
from pipeline.media.service import Job
from pipeline.media.side_data import display_matrix
from pipeline.media.wire import Reply
from schemas.video import Probe

_PICTURES = frozenset({"png_pipe", "webp_pipe", "jpegxl_pipe"})
"""Demuxers of still pictures."""
_PICTURE_BRANDS = frozenset({"avif", "heic", "heix", "heif", "mif1", "miaf"})
_MAYBE_PICTURES = frozenset({"gif", "apng", "jpegxl_anim", "mjpeg"})
"""Demuxers of pictures that move, or do not."""
_LOOK_PACKETS = 300
"""Packets whose times tell whether the frame rate varies: some seconds."""
_LOOK_BYTES = 8 << 20
_LOOK_INDEX = 100_000
_REORDER = 16
"""Packets at the end of what was looked at whose neighbours in time may not have come yet."""
_UNEVEN = 0.05
"""How much of a frame's duration the durations may differ in video of a constant rate."""
_AV_TIME_BASE = 1_000_000
_MAX_DURATION_S = 1e9

_PRIMARIES = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film", 9: "bt2020", 10:
    "smpte428", 11: "smpte431", 12: "smpte432", 22: "ebu3213",
}  # fmt: skip
_TRANSFER = {
    1: "bt709", 4: "gamma22", 5: "gamma28", 6: "smpte170m", 7: "smpte240m", 8: "linear", 9: "log100",
    10: "log316", 11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1", 14: "bt2020-10", 15:
    "bt2020-12", 16: "smpte2084", 17: "smpte428", 18: "arib-std-b67",
}  # fmt: skip
_MATRIX = {
    0: "gbr", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "ycgco", 9:
    "bt2020nc", 10: "bt2020c", 11: "smpte2085", 12: "chroma-derived-nc", 13: "chroma-derived-c", 14:
    "ictcp", 15: "ipt-c2",
}  # fmt: skip
_RANGE = {1: "limited", 2: "full"}
_FIELDS = {1: "progressive", 2: "tt", 3: "bb", 4: "tb", 5: "bt"}
UNSPECIFIED = "unspecified"


def probe_job(job: Job) -> Reply:
    """Serve `probe`: the header is `Probe.to_json`."""
    assert job.fd is not None
    with open_container(job.fd, job.limits) as container:
        return Reply(probe(container, job.limits, job.progress).to_json())


def probe(
    container: InputContainer,
    limits: MediaLimits | None = None,
    progress: Callable[[int], None] | None = None,
) -> Probe:
    """Read the description, and decode a frame to see that it can be done.

    Args:
        container: An open container, from its beginning.
        limits: The largest frame to be decoded.
        progress: Called with the number of packets read.

    Raises:
        MediaError: There is no video in it, or nothing of it decodes.
    """
    limits = limits or MediaLimits()
    stream = video_stream(container, limits)
    times = _Times()
    shown = iter(Decoding(container, stream, limits, progress=progress, tap=times.note))
    first = next(shown).frame
    is_image = _is_image(container, first, shown)
    variable = False if is_image else _is_variable(container, stream, times)
    return _described(container, stream, first, is_image, variable)


def _is_image(container: InputContainer, first: VideoFrame, others: Iterator[DecodedFrame]) -> bool:
    name = container.format.name
    if name == "jpeg_pipe":
        # A photo may bring one more picture (a thumbnail, another eye's view); motion JPEG brings many.
        more = list(islice((other.frame for other in others), 2))
        return len(more) < 2 or any((f.width, f.height) != (first.width, first.height) for f in more)
    brand = str(container.metadata.get("major_brand", "")).strip()
    if name in _MAYBE_PICTURES or brand in _PICTURE_BRANDS:
        return next(others, None) is None
    return name in _PICTURES


class _Times:
    """The times of the first packets."""

    def __init__(self) -> None:
        self.pts: list[int] = []
        self.num_bytes = 0

    def note(self, packet: Packet[VideoStream]) -> None:
        self.num_bytes += packet.size
        if packet.pts is not None:
            self.pts.append(packet.pts)

    @property
    def enough(self) -> bool:
        return len(self.pts) >= _LOOK_PACKETS or self.num_bytes >= _LOOK_BYTES


def _is_variable(container: InputContainer, stream: VideoStream, times: _Times) -> bool | None:
    """Whether the frame rate varies: by the whole index where there is one, else by the first seconds."""
    is_end = True
    for packet in () if times.enough else read_packets(container, stream):
        times.note(packet)
        if times.enough:
            is_end = False
            break
    if container.format.name.startswith("mov"):
        index = [entry.timestamp for entry in islice(stream.index_entries, _LOOK_INDEX)]
        if len(index) >= len(times.pts):
            return varies(sorted(index))
    seen = sorted(times.pts)
    return varies(seen if is_end else seen[:-_REORDER])


def varies(times: Sequence[int]) -> bool | None:
    """Whether frames at these times last unequally long; None for fewer than three.

    One tick of difference comes from rounding, and a twentieth of a frame is what clocks of cameras jitter.
    """
    durations = [b - a for a, b in pairwise(times)]
    if len(durations) < 2:
        return None
    return max(durations) - min(durations) > max(1.0, _UNEVEN * median(durations))


def _described(
    container: InputContainer, stream: VideoStream, frame: VideoFrame, is_image: bool, variable: bool | None
) -> Probe:
    orientation = orientation_of(frame)
    sample_aspect = usable_aspect(stream.sample_aspect_ratio)
    width, height = orientation.displayed(frame.width, frame.height, sample_aspect)
    pixel_format = frame.format.name
    color_range = "full" if pixel_format.startswith("yuvj") else _RANGE.get(int(frame.color_range), UNSPECIFIED)
    return Probe(
        stream_index=stream.index,
        container=container.format.name,
        codec=stream.codec_context.name,
        pixel_format=pixel_format,
        width=width,
        height=height,
        coded_width=frame.width,
        coded_height=frame.height,
        rotation_deg=orientation.rotation_deg,
        is_mirrored=orientation.is_mirrored,
        sample_aspect=sample_aspect,
        frame_rate=None if is_image else frame_rate(stream),
        is_vfr=variable,
        is_image=is_image,
        num_frames=1 if is_image else _num_frames(stream),
        duration_s=None if is_image else _duration_s(container, stream),
        has_audio=bool(container.streams.audio),
        color_primaries=_PRIMARIES.get(int(frame.color_primaries), UNSPECIFIED),
        color_transfer=_TRANSFER.get(int(frame.color_trc), UNSPECIFIED),
        color_matrix=_MATRIX.get(int(frame.colorspace), UNSPECIFIED),
        color_range=color_range,
        field_order=_FIELDS.get(int(stream.codec_context.field_order), "unknown"),
    )


def orientation_of(frame: VideoFrame) -> Orientation:
    """How a frame is to be turned, by the display matrix that comes with it."""
    matrix = display_matrix(frame)
    return Orientation() if matrix is None else Orientation.from_matrix(matrix)


def _num_frames(stream: VideoStream) -> int | None:
    return stream.frames if 0 < stream.frames < 1 << 62 else None


def _duration_s(container: InputContainer, stream: VideoStream) -> float | None:
    told = []
    if stream.duration is not None:
        told.append(float(stream.duration * stream_time_base(stream)))
    if container.duration is not None:
        told.append(container.duration / _AV_TIME_BASE)
    return next((seconds for seconds in told if 0 < seconds < _MAX_DURATION_S), None)
