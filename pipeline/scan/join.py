"""Logs of neighbouring segments become the log of the whole, equal to the one that one pass would have given."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.media.planes import THUMB_HEIGHT, THUMB_WIDTH
from pipeline.scan import motion
from pipeline.scan.frame_log import FrameLog
from pipeline.scan.measure import changes
from pipeline.scan.rules import ScanRules
from pipeline.scan.sampling import Grid

Array = npt.NDArray[Any]


def join_logs(logs: Sequence[FrameLog], rules: ScanRules, thumbs_file: Path | None = None) -> FrameLog:
    """The log of a video from the logs of its segments, or from the only one.

    Args:
        logs: In order of time; the first begins with the video's first frame.
        rules: Those that the logs were made by.
        thumbs_file: Where the joined thumbnails are written and mapped from; in memory without it.

    Raises:
        ValueError: The segments overlap, or differ in their time base.
    """
    for before, after in pairwise(logs):
        if before.pts[-1] >= after.pts[0] or before.time_base != after.time_base:
            raise ValueError(f"segments overlap: one ends at {before.pts[-1]}, the next begins at {after.pts[0]}")
    pts = np.concatenate([log.pts for log in logs])
    begins = np.cumsum([0] + [log.num_frames for log in logs])[:-1]
    looks = _looks(logs, begins, pts, rules)
    pair_frames, pair_motion = _pairs(logs, begins, pts)
    change, changed_area = _changes(logs)
    first, last = logs[0], logs[-1]
    return FrameLog(
        time_base=first.time_base,
        end_pts=last.end_pts,
        frame_width=first.frame_width,
        frame_height=first.frame_height,
        num_bad_packets=sum(log.num_bad_packets for log in logs),
        num_repaired_pts=sum(log.num_repaired_pts for log in logs),
        num_interlaced=sum(log.num_interlaced for log in logs),
        pts=pts,
        thumbs=first.thumbs if len(logs) == 1 else _join_thumbs(logs, len(pts), thumbs_file),
        change=change,
        changed_area=changed_area,
        pair_frames=pair_frames,
        pair_motion=pair_motion,
        edge_luma=first.edge_luma,
        edge_planes=first.edge_planes,
        edge_gain=first.edge_gain,
        **looks,
    )


def _join_thumbs(logs: Sequence[FrameLog], num_frames: int, path: Path | None) -> Array:
    shape = (num_frames, THUMB_HEIGHT, THUMB_WIDTH, 3)
    if path is None:
        return np.concatenate([log.thumbs for log in logs])
    with path.open("wb") as file:
        for log in logs:
            file.write(log.thumbs.data)
    return np.memmap(path, np.uint8, mode="r", shape=shape)


def _looks(logs: Sequence[FrameLog], begins: Array, pts: Array, rules: ScanRules) -> dict[str, Array]:
    """Looks of the whole: the last one of each segment stays only where its frame shows a point of the grid."""
    grid = Grid(logs[0].time_base, rules.looks_per_s)
    kept: list[Array] = []
    jpegs: list[Array] = []
    lengths: list[Array] = []
    for log, begin in zip(logs, begins, strict=True):
        last = int(log.look_frames[-1]) + int(begin)
        following = int(pts[last + 1]) if last + 1 < len(pts) else logs[-1].end_pts
        shows = last == 0 or grid.cell(int(pts[last])) != grid.cell(following)
        count = len(log.look_frames) if shows else len(log.look_frames) - 1
        ends = log.jpeg_ends[:count]
        kept.append(np.arange(count))
        jpegs.append(log.jpegs[: int(ends[-1]) if count else 0])
        lengths.append(np.diff(ends, prepend=0))
    joined: dict[str, Array] = {
        "look_frames": _joined(
            log.look_frames[keep] + begin for log, keep, begin in zip(logs, kept, begins, strict=True)
        ),
        "jpegs": _joined(jpegs),
        "jpeg_ends": np.cumsum(_joined(lengths)),
    }
    for name in ("look_rgb", "look_detail", "look_edges", "look_comb", "look_rows", "look_columns"):
        joined[name] = _joined(getattr(log, name)[: len(keep)] for log, keep in zip(logs, kept, strict=True))
    return joined


def _pairs(logs: Sequence[FrameLog], begins: Array, pts: Array) -> tuple[Array, Array]:
    """Motion pairs of the whole: a chain of samples, mended where one segment meets the next."""
    grid = Grid(logs[0].time_base, motion.PAIRS_PER_S)
    flow = motion.make_flow()
    aspect = logs[0].frame_width / logs[0].frame_height
    frames = [logs[0].pair_frames]
    motions = [logs[0].pair_motion]
    sample, luma = _last_sample(logs[0], 0, 0, logs[0].edge_luma[0])
    for k in range(1, len(logs)):
        log, begin = logs[k], int(begins[k])
        own = np.asarray(log.pair_frames) + begin
        own_motion = log.pair_motion
        is_sample = grid.cell(int(pts[begin])) != grid.cell(int(pts[begin - 1]))
        if is_sample:
            bridge, bridge_luma = begin, log.edge_luma[0]
        elif len(own):
            bridge, bridge_luma = int(own[0, 1]), log.edge_luma[1]
            own, own_motion = own[1:], own_motion[1:]
        else:
            continue
        ticks = np.array([int(pts[bridge]) - int(pts[sample])], np.float64)
        first, second = np.ascontiguousarray(luma), np.ascontiguousarray(bridge_luma)
        points = motion.points_of(first, flow.calc(first, second, None))  # type: ignore[call-overload]
        frames += [np.array([[sample, bridge]], np.int64), own]
        motions += [motion.describe(points[None], ticks * float(log.time_base), aspect), own_motion]
        sample, luma = _last_sample(log, begin, bridge, bridge_luma)
    return _joined(frames), _joined(motions)


def _last_sample(log: FrameLog, begin: int, otherwise: int, luma: Array) -> tuple[int, Array]:
    if len(log.pair_frames):
        return int(log.pair_frames[-1, 1]) + begin, log.edge_luma[2]
    return otherwise, luma


def _changes(logs: Sequence[FrameLog]) -> tuple[Array, Array]:
    change = _joined(log.change for log in logs)
    area = _joined(log.changed_area for log in logs)
    begin = 0
    for before, after in pairwise(logs):
        begin += before.num_frames
        mended = changes(before.edge_planes[1], after.edge_planes[:1], after.edge_gain[:1])
        change[begin], area[begin] = mended[0][0], mended[1][0]
    return change, area


def _joined(parts: Any) -> Array:
    """One array of its own, so that nothing keeps a segment's file open."""
    return np.concatenate([np.asarray(part) for part in parts])
