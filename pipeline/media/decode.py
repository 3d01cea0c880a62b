"""Decode a stream packet by packet: a bad packet costs its own frames and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from av.container import InputContainer
from av.error import EOFError as EndOfFileError
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.media.container import need_pixels, translated
from pipeline.media.limits import MediaLimits
from pipeline.media.timestamps import PtsRepair
from schemas.errors import ErrorKind, MediaError

_FALLBACK_RATE = 25
_MAX_READ_ERRORS = 64
"""A demuxer that fails so often in a row has come to the end of what can be read."""
_ENOUGH_TO_JUDGE = 32
"""Packets after which the share of bad ones is looked at."""


@dataclass(slots=True)
class DecodedFrame:
    """One picture, in presentation order."""

    index: int
    """From 0, in this decoding."""
    pts: int
    """Repaired: strictly increasing, in ticks of the stream's time base."""
    duration: int
    """How long it is shown, in the same ticks, as the file says or its frame rate implies; at least 1."""
    frame: VideoFrame


class Decoding:
    """The frames of one stream, or of the part `[start_pts, stop_pts)` of it; iterate over it once.

    A part begins at a keyframe that `plan_segments` found; for any other it is an error.

    Args:
        container: An open container.
        stream: Its stream, from `video_stream` or `select_stream`.
        limits: How many frames and bad packets to accept.
        start_pts: The PTS of the keyframe to begin at; from the beginning without it.
        stop_pts: Frames from this PTS on are not given; to the end without it.
        max_frames: Stop after so many frames (1 for a still image); all without it.
        progress: Called with the number of packets read.
        tap: Shown each packet before it is decoded.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        limits: MediaLimits,
        *,
        start_pts: int | None = None,
        stop_pts: int | None = None,
        max_frames: int | None = None,
        progress: Callable[[int], None] | None = None,
        tap: Callable[[Packet[VideoStream]], None] | None = None,
    ) -> None:
        self.num_packets = 0
        """Packets of this part so far."""
        self.num_bad_packets = 0
        """Packets of this part that could not be read or decoded."""
        self.num_frames = 0
        """Frames given."""
        self.next_frame: DecodedFrame | None = None
        """The first frame that belongs to the next part, when there is one: it must equal that part's
        first."""
        self.time_base = stream_time_base(stream)
        """Seconds a tick."""
        self._container = container
        self._stream = stream
        self._limits = limits
        self._start_pts = start_pts
        self._stop_pts = stop_pts
        self._max_frames = max_frames
        self._progress = progress or (lambda packets: None)
        self._tap = tap
        self._nominal = nominal_duration(stream)
        self._repair = PtsRepair(self._nominal, round(1 / self.time_base))

    @property
    def num_repaired_pts(self) -> int:
        """Frames whose time is not what the file says."""
        return self._repair.num_repaired

    def __iter__(self) -> Iterator[DecodedFrame]:
        """Give the frames.

        Raises:
            MediaError: `corrupt` where nothing decodes or too much is bad, `too_large` past the number of frames,
                `encrypted, io, out_of_memory`.
        """
        index = 0
        for frame in self._pictures():
            placed = self._placed(index, frame)
            if placed is None:
                continue
            if self._stop_pts is not None and placed.pts >= self._stop_pts:
                self.next_frame = placed
                break
            if index >= self._limits.max_frames:
                raise MediaError(ErrorKind.too_large, f"has more than {self._limits.max_frames} frames")
            index += 1
            self.num_frames = index
            yield placed
            if index == self._max_frames:
                return
        self._judge(index)

    def _placed(self, index: int, frame: VideoFrame) -> DecodedFrame | None:
        """The frame with its repaired time; None for one that is shown before this part begins."""
        if self._start_pts is not None and index == 0 and (frame.pts is None or frame.pts < self._start_pts):
            return None
        duration = frame.duration if 0 < frame.duration < 1 << 60 else self._nominal
        pts = self._repair(frame.pts, frame.dts, duration)
        return DecodedFrame(index, pts, duration, frame)

    def _judge(self, num_frames: int) -> None:
        if num_frames == 0:
            what = f"of its {self.num_packets} packets none decodes" if self.num_packets else "it has no data"
            raise MediaError(ErrorKind.corrupt, f"has a video stream, but {what}")
        # The few frames of a short video say for themselves what they are worth.
        if self.num_packets >= _ENOUGH_TO_JUDGE:
            ratio = self.num_bad_packets / self.num_packets
            if ratio > self._limits.max_bad_packet_ratio:
                raise MediaError(
                    ErrorKind.corrupt,
                    f"{self.num_bad_packets} of {self.num_packets} packets are bad ({ratio:.0%}), over the "
                    f"limit of {self._limits.max_bad_packet_ratio:.0%}",
                )

    def _pictures(self) -> Iterator[VideoFrame]:
        """Every picture that the decoder gives."""
        for packet in self._packets():
            mine = self._is_mine(packet)
            self.num_packets += mine
            try:
                frames = packet.decode()
            except EndOfFileError:
                continue
            except FFmpegError as error:
                self._note_bad(error, mine)
                continue
            for frame in frames:
                assert isinstance(frame, VideoFrame)
                need_pixels(frame.width, frame.height, self._limits)
                yield frame
        yield from self._rest()

    def _rest(self) -> Iterator[VideoFrame]:
        """What the decoder still holds at the end."""
        for _ in range(_MAX_READ_ERRORS):
            try:
                frames = self._stream.codec_context.decode(None)
            except EndOfFileError:
                return
            except FFmpegError as error:
                self._note_bad(error, mine=True)
                continue
            if not frames:
                return
            yield from frames

    def _is_mine(self, packet: Packet[VideoStream]) -> bool:
        """Whether a packet's picture belongs to this part, as far as its own time says."""
        pts = packet.pts
        if pts is None:
            return True
        return not (
            (self._start_pts is not None and pts < self._start_pts)
            or (self._stop_pts is not None and pts >= self._stop_pts)
        )

    def _note_bad(self, error: FFmpegError, mine: bool) -> None:
        if isinstance(error, MemoryError):
            raise translated(error, ErrorKind.out_of_memory, "while decoding") from error
        self.num_bad_packets += mine

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        """The stream's packets with data, from the start of this part."""
        started = self._start_pts is None
        if self._start_pts is not None:
            seek_to_keyframe(self._container, self._stream, self._start_pts)
        for number, packet in enumerate(read_packets(self._container, self._stream, self._note_unread)):
            self._progress(number)
            if packet.has_sidedata("encryption_info"):
                raise MediaError(ErrorKind.encrypted, "is encrypted")
            if self._tap is not None:
                self._tap(packet)
            started = started or (packet.is_keyframe and packet.pts == self._start_pts)
            if started:
                yield packet
        if not started:
            raise MediaError(ErrorKind.changed, f"has no keyframe at {self._start_pts} any more")

    def _note_unread(self) -> None:
        self.num_packets += 1
        self.num_bad_packets += 1


def read_packets(
    container: InputContainer, stream: VideoStream, on_error: Callable[[], None] | None = None
) -> Iterator[Packet[VideoStream]]:
    """The packets of one stream that hold data; reading goes on behind what cannot be read.

    Args:
        container: An open container.
        stream: Which stream of it.
        on_error: Called for each damaged place.

    Raises:
        MediaError: `io`.
    """
    failures = 0
    while True:
        try:
            for packet in container.demux(stream):
                if packet.size == 0:
                    # The end of the stream, by PyAV's convention.
                    continue
                failures = 0
                yield packet
            return
        except (EndOfFileError, IndexError):
            # PyAV raises IndexError at the end of a file in which a stream appeared midway.
            return
        except FFmpegError as error:
            said = translated(error, ErrorKind.corrupt, "while reading")
            if said.kind is ErrorKind.io:
                raise said from error
            # A lack of memory here is one packet that claims gigabytes.
            failures += 1
            if failures == 1 and on_error is not None:
                on_error()
            if failures == _MAX_READ_ERRORS:
                return


def seek_to_keyframe(container: InputContainer, stream: VideoStream, pts: int) -> None:
    """Go to the last place that a container's index knows at or before a time.

    Raises:
        MediaError: `corrupt` where the container cannot seek.
    """
    try:
        container.seek(pts, stream=stream, backward=True, any_frame=False)
    except FFmpegError as error:
        raise translated(error, ErrorKind.corrupt, "while seeking") from error


def stream_time_base(stream: VideoStream) -> Fraction:
    """Seconds a tick of the stream's clock."""
    told = stream.time_base
    return told if told is not None and told > 0 else Fraction(1, 90_000)


def nominal_duration(stream: VideoStream) -> int:
    """How many ticks a frame lasts by the stream's frame rate; at least 1."""
    rate = frame_rate(stream) or Fraction(_FALLBACK_RATE)
    return max(1, min(round(1 / (rate * stream_time_base(stream))), 1 << 40))


def frame_rate(stream: VideoStream) -> Fraction | None:
    """The stream's average frame rate, in frames a second; None where nothing tells it."""
    told = (stream.average_rate, stream.guessed_rate)
    return next((rate for rate in told if rate is not None and rate > 0), None)
