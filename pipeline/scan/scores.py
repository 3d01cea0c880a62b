"""The cheap scores of a clip, from what was measured once; each is finite, or None where it has no meaning.

All come from decoded pictures and their times, never from the codec's own vectors or sizes, so that re-encoding a
clip changes them little. Areas are shares of the picture within the clip's crop.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.scan.borders import Crop
from pipeline.scan.edges import edge_sharpness
from pipeline.scan.frame_log import FrameLog
from pipeline.scan.stills import HOLD_S, runs, slides
from schemas.scan_scores import ScanScores

Array = npt.NDArray[Any]

_STILL_CHANGE = 0.35
"""Mean change of luma, in levels, up to which a frame repeats the one before: what encoders change while they refine
the same picture (0.3), less than what they leave of a sensor's noise (0.35 to 0.6 in pictures at rest)."""
_STILL_AREA = 0.001
"""Share of changed pixels up to which it does: 20 of the 20,736 that are compared; 0.004 is the least that moves."""
_STILL_LEVELS = 3
"""Full-range levels by which no cell of 48x27 may differ from the first picture of a freeze."""
_SLIDE_LEVELS = 6
"""The same of a slide: refined over its whole length in a poor encoding."""
_BLACK_LEVEL = 20
_BLACK_SHARE = 0.98
_DARK_LEVEL, _BRIGHT_LEVEL = 26, 240


_MOTION_SCORES = ("motion_mean", "camera_motion", "camera_zoom", "camera_shake", "moving_area_ratio")
_PICTURE_SCORES = (
    *("sharpness", "edge_sharpness", "luma_mean", "luma_spread", "dark_area_ratio", "bright_area_ratio"),
    *("saturation_mean", "combing_ratio"),
)


def score(log: FrameLog, edges: Array, start: int, end: int, crop: Crop) -> ScanScores:
    """Score the frames `[start, end)`.

    Args:
        log: The whole video's log.
        edges: Where each frame begins and the last one ends, in ticks, int64 (N + 1,).
        start: The clip's first frame.
        end: One past its last.
        crop: The part of the stored picture that is not border.
    """
    share = crop.num_pixels / (log.frame_width * log.frame_height)
    # Differences of whole ticks, so that a constant rate is exactly constant.
    ticks = np.diff(edges[start : end + 1])
    durations = ticks * float(log.time_base)
    luma = np.ascontiguousarray(log.thumbs[start:end, :, :, 0])
    freeze, duplicate = _holds(log, luma, durations, start)
    optional = _motion(log, start, end, share) | _pictures(log, start, end, crop)
    return ScanScores(
        **optional,
        freeze_ratio=freeze,
        duplicate_frame_ratio=duplicate,
        black_frame_ratio=_black(log, durations, start, end, crop),
        slideshow_ratio=_slideshow(luma, durations),
        frame_interval_variation=float(ticks.std() / ticks.mean()),
        border_area_ratio=1 - share,
    )


def _motion(log: FrameLog, start: int, end: int, share: float) -> dict[str, float | None]:
    first, last = np.searchsorted(log.pair_frames[:, 0], start), np.searchsorted(log.pair_frames[:, 1], end)
    if first >= last:
        return dict.fromkeys(_MOTION_SCORES)
    pairs = np.asarray(log.pair_motion[first:last], np.float64)
    speed, camera, zoom, area = pairs[:, 0], pairs[:, 1:3], pairs[:, 3], pairs[:, 4]
    turns = np.diff(camera, axis=0)
    return {
        "motion_mean": float(speed.mean()),
        "camera_motion": float(np.hypot(camera[:, 0], camera[:, 1]).mean()),
        "camera_zoom": float(zoom.mean()),
        "camera_shake": float(np.sqrt((turns**2).sum(1).mean())) if len(turns) else 0.0,
        # Nothing is textured in a border, so shares of the whole picture are too small by the border's.
        "moving_area_ratio": min(1.0, float(area.mean() / share)),
    }


def _pictures(log: FrameLog, start: int, end: int, crop: Crop) -> dict[str, float | None]:
    first, last = np.searchsorted(log.look_frames, (start, end))
    if first >= last:
        return dict.fromkeys(_PICTURE_SCORES)
    rgb = _inside(log.look_rgb[first:last], crop, log, margin=0).astype(np.float32)
    # One cell further in: a border's own edge is the sharpest of all.
    detail = _inside(log.look_detail[first:last], crop, log, margin=1)
    edges = [edge_sharpness(look) for look in _inside(log.look_edges[first:last], crop, log, margin=1)]
    known = [edge for edge in edges if edge is not None]
    # Source: ITU-R BT.709, luma.
    luma = rgb @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    colour = rgb.max(-1) - rgb.min(-1)
    native = crop.num_pixels / (log.frame_width * log.frame_height)
    return {
        "sharpness": float(np.sqrt(np.median(detail.mean((1, 2), dtype=np.float64)))),
        "edge_sharpness": float(np.median(known)) if known else None,
        "luma_mean": float(luma.mean(dtype=np.float64) / 255),
        "luma_spread": float(luma.std((1, 2), dtype=np.float64).mean() / 255),
        "dark_area_ratio": float((luma < _DARK_LEVEL).mean()),
        "bright_area_ratio": float((luma > _BRIGHT_LEVEL).mean()),
        "saturation_mean": float(colour.mean(dtype=np.float64) / 255),
        "combing_ratio": min(1.0, float(log.look_comb[first:last].mean(dtype=np.float64) / native)),
    }


def _inside(maps: Array, crop: Crop, log: FrameLog, margin: int) -> Array:
    """The cells that lie wholly within the crop, less `margin` of them at sides that are cropped; one at least."""
    rows = _cells(crop.y, crop.height, log.frame_height, maps.shape[1], margin)
    columns = _cells(crop.x, crop.width, log.frame_width, maps.shape[2], margin)
    return maps[:, rows, columns]


def _cells(start: int, length: int, whole: int, count: int, margin: int) -> slice:
    if length == whole:
        return slice(0, count)
    first = math.ceil(start * count / whole) + (margin if start else 0)
    last = math.floor((start + length) * count / whole) - (margin if start + length < whole else 0)
    if first >= last:
        middle = min(count - 1, (2 * start + length) * count // (2 * whole))
        return slice(middle, middle + 1)
    return slice(first, last)


def _holds(log: FrameLog, luma: Array, durations: Array, start: int) -> tuple[float, float]:
    """The share of time in frozen pictures, and the share of frames that repeat one otherwise."""
    count = len(luma)
    changed = (log.change[start : start + count] > _STILL_CHANGE) | (
        log.changed_area[start : start + count] > _STILL_AREA
    )
    bounds = np.array(runs(luma, _STILL_LEVELS, changed))
    lengths = np.add.reduceat(durations, bounds[:-1])
    # Where every frame lasts as long, that is the frame rate and no freeze.
    frozen = lengths >= max(HOLD_S, 2.5 * float(np.median(durations)))
    repeats = int((np.diff(bounds)[~frozen] - 1).sum())
    return float(lengths[frozen].sum() / durations.sum()), repeats / max(1, count - 1)


def _black(log: FrameLog, durations: Array, start: int, end: int, crop: Crop) -> float:
    # Ten frames a second are enough to see black, and spare reading every thumbnail again.
    step = max(1, int((end - start) / max(1.0, 10 * float(durations.sum()))))
    luma = _inside(log.thumbs[start:end:step, :, :, 0], crop, log, margin=0)
    black = (luma <= _BLACK_LEVEL).mean((1, 2)) >= _BLACK_SHARE
    weights = durations[::step]
    return float(weights[black].sum() / weights.sum())


def _slideshow(luma: Array, durations: Array) -> float | None:
    if len(luma) < 2:
        return None
    return float(durations[slides(luma, durations, _SLIDE_LEVELS)].sum() / durations.sum())
