"""Cut a long video at keyframes into parts that decode on their own, to exactly the frames of the whole.

A part starts at a keyframe's PTS and ends before the next part's. What precedes a keyframe in time but
follows it in the file (the leading pictures of an open GOP) belongs to the part before, which decodes on
until it has them. Parts are planned from the times of all packets, read without decoding, and only where
those leave no doubt; `joins` then compares at each seam a frame that both sides have decoded. Where it
fails, decode in one piece.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.media.container import Source, open_container, select_stream
from pipeline.media.decode import Decoding, read_packets, seek_to_keyframe, stream_time_base
from pipeline.media.limits import MediaLimits
from pipeline.media.service import Job
from pipeline.media.wire import Reply

_CONTAINERS = ("mov", "matroska", "avi")
"""Those with an index; elsewhere seeking guesses."""
_CODECS = frozenset(
    [
        *("h264", "hevc", "vp8", "libvpx", "vp9", "libvpx-vp9", "av1", "libdav1d", "mpeg4"),
        *("mpeg2video", "mpeg1video", "mjpeg", "prores", "dnxhd", "ffv1", "png"),
    ]
)
"""Decoders that a keyframe resets to a state of their own."""
_MAX_LATE = 64
"""Packets that may follow a keyframe in the file though they precede it in time."""
_SEEK_PACKETS = 100_000
"""How far behind the place that the index gives a keyframe is looked for."""

Segment = tuple[int | None, int | None]
"""`[start_pts, stop_pts)`; None for the video's own start and end."""
WHOLE: list[Segment] = [(None, None)]


@dataclass(frozen=True, slots=True)
class PacketTime:
    """When a packet is shown, and whether decoding can begin with it."""

    pts: int
    is_keyframe: bool


@dataclass(frozen=True, slots=True)
class Seam:
    """What one part tells of its two ends; compared with its neighbours'."""

    first: str | None
    """A digest of its first frame."""
    next: str | None
    """A digest of the first frame after it, decoded on its own side; None at the end of the video."""
    is_clean: bool
    """No bad packet and no repaired time in it."""


def plan_job(job: Job) -> Reply:
    """Serve `plan`: from `stream_index, target_s, max_segments` to `{"segments": [[start, stop], …]}`."""
    assert job.fd is not None
    segments = plan_segments(
        job.fd,
        job.args["stream_index"],
        target_s=job.args["target_s"],
        max_segments=job.args["max_segments"],
        limits=job.limits,
        progress=job.progress,
    )
    return Reply({"segments": segments})


def plan_segments(
    source: Source,
    stream_index: int,
    *,
    target_s: float,
    max_segments: int,
    limits: MediaLimits | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Segment]:
    """Where to cut a video so that its parts are about equally long and decode to the same frames.

    Reads the whole file once, without decoding. One part where anything about its times is in doubt, or where
    there are fewer than two keyframes for each part.

    Args:
        source: The file.
        stream_index: Its video stream.
        target_s: How long a part should last at least, in seconds.
        max_segments: How many parts at most.
        limits: As for decoding.
        progress: Called with the number of packets read.

    Raises:
        MediaError: The file cannot be read.
    """
    limits = limits or MediaLimits()
    if max_segments < 2:
        return WHOLE
    with open_container(source, limits) as container:
        stream = select_stream(container, stream_index, limits)
        if not starts_inside(container, stream):
            return WHOLE
        target = round(target_s / stream_time_base(stream))
        times = _clean_times(container, stream, progress or (lambda packets: None))
    starts = choose_starts(times, target, max_segments) if times else []
    # A fresh container, as the decoding of a part has it: reading has completed the index of the other.
    with open_container(source, limits) as container:
        stream = select_stream(container, stream_index, limits)
        if not all(_is_reached(container, stream, pts) for pts in starts):
            return WHOLE
    edges = [None, *starts, None]
    return list(pairwise(edges))


def starts_inside(container: InputContainer, stream: VideoStream) -> bool:
    """Whether decoding can begin at a keyframe inside the file: it has an index, and the decoder is reset there."""
    return container.format.name.startswith(_CONTAINERS) and stream.codec_context.name in _CODECS


def _clean_times(
    container: InputContainer, stream: VideoStream, progress: Callable[[int], None]
) -> list[PacketTime] | None:
    """The times of all packets, in the file's order; None unless all are whole and each has its own."""
    times: list[PacketTime] = []
    damaged: list[None] = []
    for number, packet in enumerate(read_packets(container, stream, lambda: damaged.append(None))):
        progress(number)
        pts = packet.pts
        if damaged or pts is None or packet.is_corrupt or packet.is_discard:
            return None
        if packet.has_sidedata("encryption_info") or packet.has_sidedata("new_extradata"):
            return None
        times.append(PacketTime(pts, packet.is_keyframe))
    if damaged or len({time.pts for time in times}) != len(times):
        return None
    return times


def choose_starts(times: Sequence[PacketTime], target: int, max_segments: int) -> list[int]:
    """The PTS at which all parts but the first start; none where one piece is better.

    Args:
        times: Every packet, in the file's order.
        target: How long a part should last at least, in ticks.
        max_segments: How many parts at most.
    """
    usable = _usable_keyframes(times)
    first, last = min(time.pts for time in times), max(time.pts for time in times)
    wanted = min(max_segments, (last - first) // max(1, target), len(usable) // 2)
    starts: list[int] = []
    for k in range(1, wanted):
        ideal = first + (last - first) * k // wanted
        nearest = min(usable, key=lambda pts: abs(pts - ideal), default=None)
        if nearest is not None and nearest > (starts[-1] if starts else first):
            starts.append(nearest)
    return starts


def _usable_keyframes(times: Sequence[PacketTime]) -> list[int]:
    """Keyframes after which, in the file, few packets are shown earlier, and before which none later."""
    usable: list[int] = []
    latest: int | None = None
    earliest_after = _suffix_minima(times)
    for index, time in enumerate(times):
        is_later = latest is None or time.pts > latest
        if time.is_keyframe and is_later:
            settled = index + 1 + _MAX_LATE
            if settled >= len(times) or earliest_after[settled] > time.pts:
                usable.append(time.pts)
        latest = time.pts if latest is None else max(latest, time.pts)
    return usable


def _suffix_minima(times: Sequence[PacketTime]) -> list[int]:
    minima = [0] * len(times)
    low = times[-1].pts
    for index in range(len(times) - 1, -1, -1):
        low = min(low, times[index].pts)
        minima[index] = low
    return minima


def _is_reached(container: InputContainer, stream: VideoStream, pts: int) -> bool:
    """Whether seeking leads to the keyframe, or a little before it."""
    seek_to_keyframe(container, stream, pts)
    packets = islice(read_packets(container, stream), _SEEK_PACKETS)
    return any(packet.is_keyframe and packet.pts == pts for packet in packets)


def seam(decoding: Decoding, first: VideoFrame | None) -> Seam:
    """What a part that was decoded to its end tells of its ends.

    Args:
        decoding: The finished decoding.
        first: Its first frame, of which `frame_digest` was not yet taken.
    """
    following = decoding.next_frame
    return Seam(
        first=frame_digest(first) if first is not None else None,
        next=frame_digest(following.frame) if following is not None else None,
        is_clean=decoding.num_bad_packets == 0 and decoding.num_repaired_pts == 0,
    )


def joins(seams: Sequence[Seam]) -> bool:
    """Whether parts, in order, are together what decoding in one piece gives."""
    return all(seam.is_clean for seam in seams) and all(
        before.next is not None and before.next == after.first for before, after in pairwise(seams)
    )


def frame_digest(frame: VideoFrame) -> str:
    """A digest of a picture: its time, its format and every sample of it."""
    digest = hashlib.blake2b(f"{frame.pts} {frame.format.name} {frame.width}x{frame.height}".encode(), digest_size=16)
    for index, plane in enumerate(frame.planes):
        rows = memoryview(plane).cast("B")
        length = min(plane.line_size, _row_bytes(frame, index) or plane.line_size)
        for start in range(0, plane.line_size * plane.height, plane.line_size):
            digest.update(rows[start : start + length])
    return digest.hexdigest()


def _row_bytes(frame: VideoFrame, plane: int) -> int:
    """Bytes of one row that are the picture's; what follows is whatever the memory held."""
    if len(frame.planes) == 1:
        return (frame.width * frame.format.padded_bits_per_pixel + 7) // 8
    parts = [part for part in frame.format.components if part.plane == plane]
    return sum(part.width * ((part.bits + 7) // 8) for part in parts)
