"""The detectors by name, and the shots that they find."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pipeline.shots import psd
from pipeline.shots.event import Event, merge_events, shots_between
from pipeline.shots.fade import find_fades
from pipeline.shots.gradual import find_gradual
from pipeline.shots.hard import find_hard_cuts
from pipeline.shots.signals import Floats, Thumbs, measure
from schemas.clip import Shot

Detector = Callable[[Thumbs, Floats, Mapping[str, float]], list[Event]]


def _default(thumbs: Thumbs, times_s: Floats, params: Mapping[str, float]) -> list[Event]:
    """Hard cuts, fades, dissolves and wipes without a network."""
    signals = measure(thumbs, times_s)
    jumps = find_hard_cuts(thumbs, signals) + find_fades(thumbs, signals)
    events = merge_events(event for event in jumps if event.score >= 0.5)
    return events + [event for event in find_gradual(thumbs, signals, events) if event.score >= 0.5]


DETECTORS: dict[str, Detector] = {
    "default": _default,
    "content": psd.content,
    "adaptive": psd.adaptive,
}
"""Every detector by the name that configs use."""


def detect(
    thumbs: Thumbs, times_s: Floats, *, name: str = "default", params: Mapping[str, float] | None = None
) -> list[Shot]:
    """Find the shots of a video.

    Args:
        thumbs: Every decoded frame in order of presentation, uint8 (N, 27, 48, 3): full-range Y, Cb, Cr, averaged
            over areas; an array or a memory map, read in chunks.
        times_s: N times, strictly increasing.
        name: Which of `DETECTORS`.
        params: Its settings, where it has any.

    Returns:
        Shots in order; frames of transitions belong to none.
    """
    if not len(thumbs):
        return []
    return shots_between(merge_events(DETECTORS[name](thumbs, times_s, params or {})), len(thumbs))
