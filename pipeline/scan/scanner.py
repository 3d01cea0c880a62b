"""The parent's side: one video in, its rows and pictures out; decoding happens in children that can be killed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from pipeline.media.guard import DecoderChild, opened
from pipeline.media.limits import MediaLimits
from pipeline.media.segments import Seam, Segment, joins
from pipeline.scan.assemble import ScanOutcome, assemble
from pipeline.scan.config import ScanConfig
from pipeline.scan.frame_log import FrameLog
from pipeline.scan.join import join_logs
from pipeline.scan.reply import unpack
from pipeline.scan.scratch import scratch_folder
from pipeline.scan.slots import Slot, Slots
from schemas.errors import MediaError
from schemas.video import Probe

_CHILD: Final = "pipeline.scan.child"
_NETWORKS: Final = frozenset({"accurate", "transnet"})
"""Detectors that run here and not in the child, which has no torch."""
_MAX_SEGMENTS: Final = 256


class VideoScanner:
    """Scans one video after the other with a child process that lives on, and helpers for long videos.

    For use by one thread.

    Args:
        config: How to cut and what to measure.
        limits: What a decoder may use.
        slots: The machine's places for decoders.
    """

    def __init__(self, config: ScanConfig, limits: MediaLimits, slots: Slots | None = None) -> None:
        self._config = config
        self._rules = config.rules()
        self._limits = limits
        self._slots = slots or Slots(config.max_children or os.cpu_count() or 1)
        self._child = DecoderChild(_CHILD, limits)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child."""
        self._child.close()

    def scan(self, path: str, video_id: str, probe: Probe) -> ScanOutcome:
        """Decode a video once.

        Args:
            path: A local file.
            video_id: Its id.
            probe: What is known of it.

        Raises:
            MediaError: It cannot be read or decoded within the limits.
        """
        with opened(path) as fd:
            slot = self._slots.take()
            try:
                return self._scan(fd, video_id, probe)
            finally:
                if slot is not None:
                    slot.free()

    def _scan(self, fd: int, video_id: str, probe: Probe) -> ScanOutcome:
        is_long = not probe.is_image and (probe.duration_s or 0.0) >= 2 * self._config.segment_s
        segments = self._plan(fd, probe) if is_long else []
        if len(segments) > 1:
            outcome = self._in_segments(fd, video_id, probe, segments)
            if outcome is not None:
                return outcome
        if self._rules.detector in _NETWORKS:
            with scratch_folder() as folder:
                work = _Work(self._job(probe), [(None, None)], folder)
                work.run(self._child, fd)
                return self._assemble(work.logs(), video_id, probe, folder)
        args = {"probe": probe.to_json(), "rules": self._rules.to_json(), "video_id": video_id}
        reply = self._child.call("scan", args, fd)
        return unpack(reply.header, reply.blobs)

    def _plan(self, fd: int, probe: Probe) -> list[Segment]:
        args = {
            "stream_index": probe.stream_index,
            "target_s": self._config.segment_s,
            "max_segments": _MAX_SEGMENTS,
        }
        return [(start, stop) for start, stop in self._child.call("plan", args, fd).header["segments"]]

    def _in_segments(self, fd: int, video_id: str, probe: Probe, segments: Sequence[Segment]) -> ScanOutcome | None:
        """The outcome from segments that decode side by side; None where one piece could give another."""
        with scratch_folder() as folder:
            work = _Work(self._job(probe), segments, folder)
            helpers: list[threading.Thread] = []

            def call_help() -> None:
                while work.num_waiting > 0 and (slot := self._slots.take()) is not None:
                    helpers.append(threading.Thread(target=self._help, args=(work, fd, slot), daemon=True))
                    helpers[-1].start()

            try:
                call_help()
                work.run(self._child, fd, after_each=call_help)
            finally:
                work.stop()
                for helper in helpers:
                    helper.join()
            if work.failure is not None:
                if isinstance(work.failure, MediaError):
                    # Limits hold for the whole video, not for a part: let one piece decide.
                    return None
                raise work.failure
            if not joins(work.seams()):
                return None
            return self._assemble(work.logs(), video_id, probe, folder)

    def _help(self, work: _Work, fd: int, slot: Slot) -> None:
        """Decode segments in a child of this thread's own, until none is left."""
        try:
            with DecoderChild(_CHILD, self._limits) as child:
                work.run(child, fd)
        finally:
            slot.free()

    def _job(self, probe: Probe) -> dict[str, Any]:
        return {"probe": probe.to_json(), "rules": self._rules.to_json()}

    def _assemble(self, logs: Sequence[FrameLog], video_id: str, probe: Probe, folder: Path) -> ScanOutcome:
        from pipeline.shots.detector import detect

        log = join_logs(logs, self._rules, folder / "thumbs")
        shots = detect(log.thumbs, log.times_s, name=self._rules.detector, params=self._rules.detector_params)
        return assemble(log, shots, probe, self._rules, video_id)


class _Work:
    """Segments of one video that any number of children measure."""

    def __init__(self, args: dict[str, Any], segments: Sequence[Segment], folder: Path) -> None:
        self.failure: BaseException | None = None
        """The first thing that went wrong; the rest is then left undone."""
        self._args = args
        self._segments = segments
        self._folder = folder
        self._seams: list[Seam | None] = [None] * len(segments)
        self._next = 0
        self._lock = threading.Lock()

    @property
    def num_waiting(self) -> int:
        """Segments that nobody has begun."""
        with self._lock:
            return len(self._segments) - self._next

    def stop(self) -> None:
        """Begin no further segment."""
        with self._lock:
            self._next = len(self._segments)

    def run(self, child: DecoderChild, fd: int, after_each: Callable[[], None] = lambda: None) -> None:
        """Measure segments until none is left.

        Raises:
            MediaError: The only segment failed; of several, `failure` holds what went wrong.
        """
        while (index := self._take()) is not None:
            start_pts, stop_pts = self._segments[index]
            args = {**self._args, "start_pts": start_pts, "stop_pts": stop_pts, "log": str(self._path(index))}
            try:
                first, following, is_clean = child.call("measure", args, fd).header["seam"]
            except BaseException as error:
                self.stop()
                if len(self._segments) == 1 or not isinstance(error, Exception):
                    raise
                self.failure = self.failure or error
                return
            self._seams[index] = Seam(first, following, is_clean)
            after_each()

    def _take(self) -> int | None:
        with self._lock:
            if self._next == len(self._segments):
                return None
            self._next += 1
            return self._next - 1

    def _path(self, index: int) -> Path:
        return self._folder / f"{index}.log"

    def seams(self) -> list[Seam]:
        """What the segments told of their ends."""
        return [seam for seam in self._seams if seam is not None]

    def logs(self) -> list[FrameLog]:
        """Their logs."""
        return [FrameLog.open(self._path(index)) for index in range(len(self._segments))]
