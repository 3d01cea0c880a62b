"""The decoder child's inner loop: frames in, one `FrameLog` out, whatever the length of the video in bounded memory."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, Final

import av
import cv2
import numpy as np
import numpy.typing as npt

from pipeline.media.planes import PLANE_HEIGHT, PLANE_WIDTH, THUMB_HEIGHT, THUMB_WIDTH, PlaneBatch
from pipeline.scan import motion
from pipeline.scan.frame_log import FrameLog
from pipeline.scan.look import Look, Looker
from pipeline.scan.rules import ScanRules
from pipeline.scan.sampling import Grid

BATCH_FRAMES: Final = 64
"""Frames measured at once: Python's own cost a call vanishes, and the buffers (2 MB) stay in the cache."""
CHANGED_LEVELS: Final = 3
"""Full-range levels by which luma must change to count as changed; compression noise in still pictures is below."""
_SPILL_FRAMES: Final = 8192
"""From so many frames on, thumbnails (32 MB by then) go to a scratch file."""
_PLANE_PIXELS: Final = PLANE_WIDTH * PLANE_HEIGHT
_LIMITED_GAIN: Final = 255 / 219

Bytes = npt.NDArray[np.uint8]


class FrameMeter:
    """Measures the frames of one stream, or of one segment of it, in order of presentation.

    Args:
        time_base: Seconds a tick.
        rules: How closely to look.
        is_beginning: Whether the first frame is the video's first, which is always looked at.
        scratch: A folder for what outgrows memory.
    """

    def __init__(
        self, time_base: Fraction, rules: ScanRules, *, is_beginning: bool = True, scratch: Path | None = None
    ) -> None:
        self._time_base = time_base
        self._look_grid = Grid(time_base, rules.looks_per_s)
        self._pair_grid = Grid(time_base, motion.PAIRS_PER_S)
        self._is_beginning = is_beginning
        self._looker = Looker(rules.preview_px, rules.preview_quality)
        self._batch = PlaneBatch(BATCH_FRAMES)
        self._flow = motion.make_flow()
        self._thumbs = _Thumbs(scratch)
        self._pts: list[int] = []
        self._change: list[npt.NDArray[np.float32]] = []
        self._changed_area: list[npt.NDArray[np.float32]] = []
        self._looks: list[tuple[int, Look]] = []
        self._held: av.VideoFrame | None = None
        self._held_cell = 0
        self._pair_cell = 0
        self._samples: list[int] = []
        self._pairs: list[tuple[int, int]] = []
        self._points: list[npt.NDArray[np.float32]] = []
        self._motion: list[npt.NDArray[np.float32]] = []
        self._sample_luma: Bytes | None = None
        self._sample_frame = 0
        self._edge_luma = np.zeros((3, motion.HEIGHT, motion.WIDTH), np.uint8)
        self._edge_planes = np.zeros((2, PLANE_HEIGHT, PLANE_WIDTH), np.uint8)
        self._edge_gain = np.ones(2, np.float32)
        self._num_flushed = 0
        self._num_interlaced = 0
        self._size = (0, 0)

    @property
    def num_frames(self) -> int:
        """Frames added so far."""
        return len(self._pts)

    def add(self, pts: int, frame: av.VideoFrame) -> None:
        """Measure the next frame; `pts` is greater than the one before."""
        index = len(self._pts)
        cell = self._look_grid.cell(pts)
        held = self._held
        if held is None:
            self._size = (frame.width, frame.height)
        elif cell != self._held_cell or (index == 1 and self._is_beginning):
            self._looks.append((index - 1, self._looker.look(held)))
        self._held, self._held_cell = frame, cell
        pair_cell = self._pair_grid.cell(pts)
        if pair_cell != self._pair_cell or not index:
            self._samples.append(index)
            self._pair_cell = pair_cell
        self._pts.append(pts)
        self._num_interlaced += frame.interlaced_frame
        self._batch.add(frame)
        if self._batch.num_frames == BATCH_FRAMES:
            self._flush()

    def finish(self, end_pts: int, *, num_bad_packets: int, num_repaired_pts: int) -> FrameLog:
        """The log of all frames.

        Raises:
            ValueError: There was no frame.
        """
        if self._held is None:
            raise ValueError("no frame was measured")
        if self._batch.num_frames:
            self._flush()
        self._describe_motion()
        # Whether this frame shows a point of the grid is for the neighbour to say; see FrameLog.
        self._looks.append((len(self._pts) - 1, self._looker.look(self._held)))
        self._held = None
        looks = [look for _, look in self._looks]
        jpegs = [look.jpeg for look in looks]
        width, height = self._size
        return FrameLog(
            time_base=self._time_base,
            end_pts=end_pts,
            frame_width=width,
            frame_height=height,
            num_bad_packets=num_bad_packets,
            num_repaired_pts=num_repaired_pts,
            num_interlaced=self._num_interlaced,
            pts=np.array(self._pts, np.int64),
            thumbs=self._thumbs.all(),
            change=np.concatenate(self._change),
            changed_area=np.concatenate(self._changed_area),
            look_frames=np.array([index for index, _ in self._looks], np.int64),
            look_rgb=_stack_maps([look.rgb for look in looks]),
            look_detail=_stack_maps([look.detail for look in looks]),
            look_edges=_stack_maps([look.edges for look in looks]),
            look_comb=np.array([look.comb for look in looks], np.float32),
            look_rows=_stack([look.rows for look in looks], height),
            look_columns=_stack([look.columns for look in looks], width),
            jpeg_ends=np.cumsum([len(jpeg) for jpeg in jpegs], dtype=np.int64),
            jpegs=np.frombuffer(b"".join(jpegs), np.uint8),
            pair_frames=np.array(self._pairs, np.int64).reshape(-1, 2),
            pair_motion=np.concatenate([np.zeros((0, len(motion.COLUMNS)), np.float32), *self._motion]),
            edge_luma=self._edge_luma,
            edge_planes=self._edge_planes,
            edge_gain=self._edge_gain,
        )

    def _flush(self) -> None:
        batch, begin = self._batch, self._num_flushed
        self._thumbs.append(batch.thumbs())
        luma = batch.luma
        gain = np.where(batch.is_full_range, np.float32(1), np.float32(_LIMITED_GAIN))
        if not begin:
            self._edge_planes[0], self._edge_gain[0] = luma[0], gain[0]
            self._edge_luma[0] = motion.small_luma(luma[0])
        before = self._edge_planes[1] if begin else luma[0]
        change, area = changes(before, luma, gain)
        self._change.append(change)
        self._changed_area.append(area)
        self._edge_planes[1], self._edge_gain[1] = luma[-1], gain[-1]
        self._measure_motion(luma, begin)
        self._num_flushed += batch.num_frames
        batch.clear()

    def _measure_motion(self, luma: Bytes, begin: int) -> None:
        for index in self._samples:
            small = motion.small_luma(luma[index - begin])
            if self._sample_luma is not None:
                flow = self._flow.calc(self._sample_luma, small, None)  # type: ignore[call-overload]
                self._points.append(motion.points_of(self._sample_luma, flow))
                if not self._pairs:
                    self._edge_luma[1] = small
                self._edge_luma[2] = small
                self._pairs.append((self._sample_frame, index))
            self._sample_luma, self._sample_frame = small, index
        self._samples.clear()
        if len(self._points) >= BATCH_FRAMES:
            self._describe_motion()

    def _describe_motion(self) -> None:
        """Turn the points of some pairs into numbers, many pairs at once."""
        if self._points:
            pairs = self._pairs[-len(self._points) :]
            ticks = np.array([self._pts[after] - self._pts[before] for before, after in pairs], np.float64)
            aspect = self._size[0] / self._size[1]
            self._motion.append(motion.describe(np.stack(self._points), ticks * float(self._time_base), aspect))
            self._points.clear()


def changes(
    before: Bytes, luma: Bytes, gain: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """How much each picture differs from the one before it.

    Args:
        before: The picture before the first, uint8 (108, 192).
        luma: Pictures, uint8 (n, 108, 192), in their own range.
        gain: Full-range levels a level, (n,).

    Returns:
        Mean absolute difference in full-range levels, and the share of pixels that differ by more than
        `CHANGED_LEVELS`, float32 (n,) each.
    """
    flat = luma.reshape(len(luma), -1)
    difference = np.empty_like(flat)
    cv2.absdiff(flat[:1], before.reshape(1, -1), dst=difference[:1])
    if len(flat) > 1:
        cv2.absdiff(flat[1:], flat[:-1], dst=difference[1:])
    sums = cv2.reduce(difference, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[:, 0]
    cv2.threshold(difference, CHANGED_LEVELS, 1, cv2.THRESH_BINARY, dst=difference)
    counts = cv2.reduce(difference, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[:, 0]
    scale = np.float32(1 / _PLANE_PIXELS)
    return sums.astype(np.float32) * scale * gain, counts.astype(np.float32) * scale


class _Thumbs:
    """Thumbnails of any number of frames: in memory while they are few, then in a file without a name."""

    def __init__(self, scratch: Path | None) -> None:
        self._scratch = scratch
        self._chunks: list[Bytes] = []
        self._num_frames = 0
        self._file: IO[bytes] | None = None

    def append(self, thumbs: Bytes) -> None:
        self._chunks.append(thumbs)
        self._num_frames += len(thumbs)
        if self._num_frames > _SPILL_FRAMES:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._scratch)  # noqa: SIM115 - lives as long as its map
            for chunk in self._chunks:
                self._file.write(chunk.data)
            self._chunks.clear()

    def all(self) -> Bytes:
        shape = (self._num_frames, THUMB_HEIGHT, THUMB_WIDTH, 3)
        if self._file is None:
            return np.concatenate(self._chunks)
        with self._file as file:
            file.flush()
            # The map keeps the file alive when it is closed.
            return np.memmap(file, np.uint8, mode="r", shape=shape)


def _stack(profiles: Sequence[Bytes], length: int) -> Bytes:
    """Profiles as rows of one array; where the picture's size changes midway, brought to the first size."""
    rows = [
        profile if len(profile) == length else profile[np.arange(length) * len(profile) // length]
        for profile in profiles
    ]
    return np.stack(rows)


def _stack_maps(maps: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Maps as one array; where the picture's size changes midway, brought to the first map's."""
    height, width = maps[0].shape[:2]
    same = [one if one.shape[:2] == (height, width) else cv2.resize(one, (width, height)) for one in maps]
    return np.stack(same)
