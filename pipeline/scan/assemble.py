"""From a video's log and its shots to rows and pictures: nothing here touches the video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.dedup.fingerprint import Window, take_fingerprint
from pipeline.scan.borders import Crop, find_crop
from pipeline.scan.clips import clips_of
from pipeline.scan.frame_log import FrameLog
from pipeline.scan.rules import ScanRules
from pipeline.scan.scores import score
from pipeline.scan.upright import upright
from pipeline.shots.detector import detect
from schemas.clip import Clip, Shot, Transition
from schemas.span import Span
from schemas.video import Probe

Row = dict[str, Any]
Array = npt.NDArray[Any]

_VFR_VARIATION = 0.02
"""Relative deviation of frame durations from which on a rate is variable: containers that count in milliseconds round
a frame of 1/60 s by up to 3 %, of 1/30 s by 1.5 %."""

_GRADUAL = frozenset({Transition.fade, Transition.dissolve, Transition.wipe})
_FADED_FRAMES = 2
"""So many frames of a gradual transition may lie inside a clip: its ends are found no better than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOutcome:
    """What the scan of one video gives."""

    rows: Mapping[str, Sequence[Row]]
    """Rows of the tables `shots`, `clips`, `scores/scan` and `fingerprints`."""
    counts: Mapping[str, Any]
    """Columns of the video's own row that only decoding can tell."""
    previews: Sequence[tuple[str, bytes]] = field(default_factory=list)
    """Names (`CLIP_ID.K.jpg`) and JPEGs, as displayed: flipped, turned, samples square; borders are not cut off."""

    @property
    def num_frames(self) -> int:
        """How many frames were decoded."""
        return int(self.counts["num_frames"])


def assemble(log: FrameLog, shots: Sequence[Shot], probe: Probe, rules: ScanRules, video_id: str) -> ScanOutcome:
    """Rows and pictures of one video.

    Args:
        log: The whole video's log, joined.
        shots: What the detector found in it.
        probe: What is known of the video.
        rules: How to cut it.
        video_id: Its id.
    """
    edges = np.append(log.pts, log.end_pts)
    edges_s = np.asarray(edges - edges[0], np.float64) * float(log.time_base)
    clips = _clips(log, shots, edges, probe, rules, video_id)
    steady = [_steady_looks(log, clip) for clip in clips]
    of_video = np.concatenate(steady) if any(map(len, steady)) else np.arange(len(log.look_frames))
    video_rows = log.look_rows[of_video].max(axis=0, keepdims=True)
    video_columns = log.look_columns[of_video].max(axis=0, keepdims=True)
    clip_rows: list[Row] = []
    score_rows: list[Row] = []
    fingerprint_rows: list[Row] = []
    previews: list[tuple[str, bytes]] = []
    for clip, looks in zip(clips, steady, strict=True):
        first, last = np.searchsorted(log.look_frames, (clip.start_frame, clip.end_frame))
        crop = Crop(0, 0, log.frame_width, log.frame_height)
        if len(looks):
            crop = find_crop(log.look_rows[looks], log.look_columns[looks], video_rows, video_columns)
        clip_rows.append(_clip_row(clip, displayed(crop, log, probe), probe))
        scores = score(log, edges, clip.start_frame, clip.end_frame, crop)
        score_rows.append({"clip_id": clip.clip_id, "video_id": video_id, **scores.to_row()})
        ids = {"clip_id": clip.clip_id, "video_id": video_id}
        fingerprint_rows.append({**ids, **_fingerprint(clip, crop, log, edges_s, probe)})
        chosen = choose(np.arange(first, last), log, edges, clip, rules.num_previews)
        previews += [
            (f"{clip.clip_id}.{k}.jpg", upright(log.jpeg(look), probe, rules.preview_quality))
            for k, look in enumerate(chosen)
        ]
    return ScanOutcome(
        rows={
            "shots": [_shot_row(k, shot, edges, log, rules, video_id) for k, shot in enumerate(shots)],
            "clips": clip_rows,
            "scores/scan": score_rows,
            "fingerprints": fingerprint_rows,
        },
        counts=_counts(log, edges, edges_s, probe),
        previews=previews,
    )


def _steady_looks(log: FrameLog, clip: Clip) -> Array:
    """The looks that show a clip's borders: a fade to white lights up the bars too, and may begin inside the clip.

    All looks at the clip, where none is further in.
    """
    inner_start = clip.start_frame + _FADED_FRAMES * (clip.transition_in in _GRADUAL)
    inner_end = clip.end_frame - _FADED_FRAMES * (clip.transition_out in _GRADUAL)
    for span in ((inner_start, inner_end), (clip.start_frame, clip.end_frame)):
        first, last = np.searchsorted(log.look_frames, span)
        if first < last:
            break
    return np.arange(first, last)


def _clips(
    log: FrameLog, shots: Sequence[Shot], edges: Array, probe: Probe, rules: ScanRules, video_id: str
) -> list[Clip]:
    if not probe.is_image:
        return clips_of(
            shots,
            edges,
            video_id=video_id,
            time_base=log.time_base,
            min_clip_s=rules.min_clip_s,
            max_clip_s=rules.max_clip_s,
            guard_frames=rules.guard_frames,
            look=partial(_look, log, shots, rules),
        )
    shot = shots[0]
    span = Span(int(edges[0]), int(edges[1]), log.time_base)
    return [
        Clip(
            video_id=video_id,
            shot_index=0,
            start_frame=0,
            end_frame=1,
            span=span,
            transition_in=shot.transition_in,
            transition_out=shot.transition_out,
        )
    ]


def _look(log: FrameLog, shots: Sequence[Shot], rules: ScanRules, start: int, end: int) -> Sequence[Shot]:
    """The shots of frames `[start, end)` by themselves, counted from `start`."""
    if end - start == log.num_frames:
        return shots
    thumbs, times_s = log.thumbs[start:end], log.times_s[start:end]
    return detect(thumbs, times_s, name=rules.detector, params=rules.detector_params)


def choose(looks: Array, log: FrameLog, edges: Array, clip: Clip, count: int) -> list[int]:
    """Which looks become the clip's previews: the nearest to the middles of `count` equal parts of it, none twice.

    Where no frame of the clip was looked at, none: that cannot be for a clip of at least `min_clip_s`, nor for the
    first frame of a video.
    """
    if len(looks) <= count:
        return [int(look) for look in looks]
    times = edges[log.look_frames[looks]]
    chosen: set[int] = set()
    for k in range(count):
        wanted = clip.span.start_pts + clip.span.ticks * (2 * k + 1) / (2 * count)
        order = np.argsort(np.abs(times - wanted), kind="stable")
        chosen.add(next(int(looks[i]) for i in order if int(looks[i]) not in chosen))
    return sorted(chosen)


def displayed(crop: Crop, log: FrameLog, probe: Probe) -> Crop:
    """A crop of the stored picture, as it lies in the displayed one (mirrored, samples square, turned)."""
    width, height = log.frame_width, log.frame_height
    x = width - crop.x - crop.width if probe.is_mirrored else crop.x
    wide = max(1, round(width * probe.sample_aspect))
    left, right = round(Fraction(x * wide, width)), round(Fraction((x + crop.width) * wide, width))
    top, bottom = crop.y, crop.y + crop.height
    match probe.rotation_deg:
        case 90:
            left, right, top, bottom = height - bottom, height - top, left, right
        case 180:
            left, right, top, bottom = wide - right, wide - left, height - bottom, height - top
        case 270:
            left, right, top, bottom = top, bottom, wide - right, wide - left
    return Crop(left, top, right - left, bottom - top)


def _fingerprint(clip: Clip, crop: Crop, log: FrameLog, edges_s: Array, probe: Probe) -> Row:
    width, height = log.frame_width, log.frame_height
    return take_fingerprint(
        log.thumbs[clip.start_frame : clip.end_frame],
        edges_s[clip.start_frame : clip.end_frame + 1],
        Window(crop.x / width, crop.y / height, (crop.x + crop.width) / width, (crop.y + crop.height) / height),
        rotation_deg=probe.rotation_deg,
        is_mirrored=probe.is_mirrored,
    ).to_row()


def _shot_row(index: int, shot: Shot, edges: Array, log: FrameLog, rules: ScanRules, video_id: str) -> Row:
    return {
        "video_id": video_id,
        "shot_index": index,
        "start_pts": int(edges[shot.start_frame]),
        "end_pts": int(edges[shot.end_frame]),
        "time_base_num": log.time_base.numerator,
        "time_base_den": log.time_base.denominator,
        "start_frame": shot.start_frame,
        "end_frame": shot.end_frame,
        "transition_in": shot.transition_in.value,
        "transition_out": shot.transition_out.value,
        "detector": rules.detector,
    }


def _clip_row(clip: Clip, crop: Crop, probe: Probe) -> Row:
    return {
        "clip_id": clip.clip_id,
        "video_id": clip.video_id,
        "shot_index": clip.shot_index,
        "start_pts": clip.span.start_pts,
        "end_pts": clip.span.end_pts,
        "time_base_num": clip.span.time_base.numerator,
        "time_base_den": clip.span.time_base.denominator,
        "start_s": clip.span.start_s,
        "end_s": clip.span.end_s,
        "start_frame": clip.start_frame,
        "end_frame": clip.end_frame,
        "num_frames": clip.num_frames,
        "width": probe.width,
        "height": probe.height,
        "crop_x": crop.x,
        "crop_y": crop.y,
        "crop_width": crop.width,
        "crop_height": crop.height,
        "transition_in": clip.transition_in.value,
        "transition_out": clip.transition_out.value,
    }


def _counts(log: FrameLog, edges: Array, edges_s: Array, probe: Probe) -> Row:
    steps = np.diff(edges_s[:-1])
    counts: Row = {
        "num_frames": log.num_frames,
        "num_bad_packets": log.num_bad_packets,
        "num_repaired_pts": log.num_repaired_pts,
        "duration_s": float((int(edges[-1]) - int(edges[0])) * log.time_base),
    }
    if len(steps) > 1 and not probe.is_image:
        # One tick of rounding on each side is no variable rate, whatever the clock.
        slack = max(_VFR_VARIATION * float(np.median(steps)), 1.01 * float(log.time_base))
        counts["is_vfr"] = bool((np.abs(steps - np.median(steps)) > slack).mean() > 0.01)
    return counts
