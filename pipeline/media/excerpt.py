"""A few frames of a span of a video, as they are displayed, at native size or scaled down.

For whoever looks at a clip itself and not at its previews: only what leads to its frames is decoded, and only the
chosen ones become RGB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import islice
from typing import Any, Final, Literal, Self

import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from pipeline.media.container import open_container, select_stream
from pipeline.media.decode import DecodedFrame, Decoding, read_packets, seek_to_keyframe
from pipeline.media.displayed import DisplayedCrop
from pipeline.media.planes import PlaneBatch
from pipeline.media.segments import starts_inside
from pipeline.media.service import Job
from pipeline.media.wire import Reply
from schemas.errors import ErrorKind, MediaError
from schemas.video import Probe

_SEEK_PACKETS: Final = 512
"""Packets among which a keyframe must come after a seek."""

_STILL_CHANGE: Final = 0.25
"""Grey levels by which small pictures of a still scene may differ from one frame to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """Which frames of a video, and how they are cut and scaled."""

    start_pts: int
    """The span is `[start_pts, end_pts)`."""
    end_pts: int
    time_base: Fraction
    """Seconds a tick."""
    choice: Literal["uniform", "rate", "moments", "all"]
    """`uniform`: `num_frames` evenly spread. `rate`: `rate` a second, at most `num_frames`. `moments`: `num_frames`
    between which equally much changes. `all`: every one, at most `num_frames`."""
    num_frames: int
    rate: float = 1.0
    crop: tuple[int, int, int, int]
    """x, y, width, height in the displayed picture, in pixels."""
    width: int
    """Of the pictures given, in pixels."""
    height: int
    from_start: bool = False
    """Whether to decode from the video's beginning: times that a file lacks are only then repaired as before."""

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {**asdict(self), "time_base": [self.time_base.numerator, self.time_base.denominator]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(**{**value, "crop": tuple(value["crop"]), "time_base": Fraction(*value["time_base"])})


def excerpt_job(job: Job) -> Reply:
    """Serve `excerpt`: from `probe, excerpt` to `{"times_s": [...]}` and a blob for each frame, uint8 (H, W, 3).

    Times are in seconds after the span's beginning, strictly increasing.

    Raises:
        MediaError: The video cannot be decoded, or holds no frame of the span.
    """
    probe, wanted = Probe.from_json(job.args["probe"]), Excerpt.from_json(job.args["excerpt"])
    chosen: Iterable[DecodedFrame]
    if wanted.choice == "all" or probe.is_image:
        chosen = islice(_span(job, probe, wanted), wanted.num_frames)
    elif wanted.choice == "moments":
        chosen = shown_at(_span(job, probe, wanted), _moments(job, probe, wanted))
    else:
        chosen = shown_at(_span(job, probe, wanted), targets(wanted))
    displayed = DisplayedCrop(probe, wanted.crop, wanted.width, wanted.height)
    times_s: list[float] = []
    pictures: list[bytes] = []
    for frame in chosen:
        begin = frame.pts if probe.is_image else wanted.start_pts
        times_s.append(float((frame.pts - begin) * wanted.time_base))
        pictures.append(displayed(frame.frame).tobytes())
    if not pictures:
        raise MediaError(ErrorKind.changed, "holds no frame of the clip any more")
    return Reply({"times_s": times_s}, pictures)


def targets(wanted: Excerpt) -> list[Fraction]:
    """The moments of `uniform` and `rate`, in ticks: the middles of equal parts, so that neither end counts more."""
    length = wanted.end_pts - wanted.start_pts
    count = wanted.num_frames
    if wanted.choice == "rate":
        count = min(count, max(1, round(length * wanted.time_base * Fraction(wanted.rate))))
    return [wanted.start_pts + Fraction(length * (2 * k + 1), 2 * count) for k in range(count)]


def shown_at(frames: Iterable[DecodedFrame], moments: Sequence[Fraction | int]) -> Iterator[DecodedFrame]:
    """The frame on the screen at each moment, each once; the first one for moments before it.

    Args:
        frames: In order of presentation.
        moments: In ticks, ascending.
    """
    held: DecodedFrame | None = None
    is_given = False
    left = iter(moments)
    moment = next(left, None)
    for frame in frames:
        while held is not None and moment is not None and moment < frame.pts:
            if not is_given:
                yield held
                is_given = True
            moment = next(left, None)
        if moment is None:
            return
        held, is_given = frame, False
    if held is not None and moment is not None and not is_given:
        yield held


def _span(job: Job, probe: Probe, wanted: Excerpt) -> Iterator[DecodedFrame]:
    """Every frame of the span, decoded from the nearest keyframe before it where that is safe."""
    assert job.fd is not None
    with open_container(job.fd, job.limits) as container:
        stream = select_stream(container, probe.stream_index, job.limits)
        begin = None
        if not wanted.from_start and not probe.is_image and starts_inside(container, stream):
            begin = _keyframe_before(container, stream, wanted.start_pts)
            if begin is None:
                seek_to_keyframe(container, stream, _EARLIEST)
        for frame in Decoding(
            container,
            stream,
            job.limits,
            start_pts=begin,
            stop_pts=None if probe.is_image else wanted.end_pts,
            max_frames=1 if probe.is_image else None,
            progress=job.progress,
        ):
            if probe.is_image or frame.pts >= wanted.start_pts:
                yield frame


_EARLIEST: Final = -(1 << 60)


def _keyframe_before(container: InputContainer, stream: VideoStream, pts: int) -> int | None:
    """The keyframe at which seeking to a time arrives; None where that is no keyframe at or before it."""
    seek_to_keyframe(container, stream, pts)
    for packet in islice(read_packets(container, stream), _SEEK_PACKETS):
        if packet.is_keyframe:
            return packet.pts if packet.pts is not None and packet.pts <= pts else None
    return None


def _moments(job: Job, probe: Probe, wanted: Excerpt) -> list[int]:
    """Times between which equally much changes, by small pictures of all frames."""
    times: list[int] = []
    change: list[float] = []
    batch = PlaneBatch(1)
    before: Any = None
    for frame in _span(job, probe, wanted):
        batch.clear()
        batch.add(frame.frame)
        thumb = batch.thumbs()[0].astype(np.int16)
        times.append(frame.pts)
        change.append(0.0 if before is None else float(np.abs(thumb - before).mean()))
        before = thumb
    if not times:
        return []
    # A little for the passing of time, more than what coding alone changes, so that a still clip is spread evenly.
    passed = np.cumsum(np.asarray(change) + _STILL_CHANGE)
    wanted_change = passed[-1] * (np.arange(wanted.num_frames) + 0.5) / wanted.num_frames
    places = np.unique(np.minimum(np.searchsorted(passed, wanted_change), len(times) - 1))
    return [times[place] for place in places]
