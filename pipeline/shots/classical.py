"""The default detector: hard cuts, fades, dissolves and wipes from how edits look, without a network."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.shots.event import Event, merge_events
from pipeline.shots.fade import find_fades
from pipeline.shots.gradual import find_gradual
from pipeline.shots.hard import find_hard_cuts
from pipeline.shots.signals import Floats, Thumbs, measure


def default(thumbs: Thumbs, times_s: Floats, params: Mapping[str, float]) -> list[Event]:
    """What `propose` is surer of than not; params: `threshold` (0.5), lower finds more."""
    threshold = params.get("threshold", 0.5)
    return merge_events(event for event in propose(thumbs, times_s) if event.score >= threshold)


def propose(thumbs: Thumbs, times_s: Floats) -> list[Event]:
    """Everything that may be a transition, with its score."""
    signals = measure(thumbs, times_s)
    cuts = find_hard_cuts(thumbs, signals)
    sure_cuts = [event.start_frame for event in cuts if event.score >= 0.5]
    jumps = cuts + find_fades(thumbs, signals, sure_cuts)
    sure = merge_events(event for event in jumps if event.score >= 0.5)
    doubtful = [event for event in jumps if event.score < 0.5]
    return [*sure, *doubtful, *find_gradual(thumbs, signals, sure)]
