"""The accurate detector: cheap proposals with high recall, and TransNetV2 on the windows that leave doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from pipeline.shots.classical import propose
from pipeline.shots.event import Event, merge_events
from pipeline.shots.signals import Floats, Thumbs
from pipeline.shots.transnet import STEP_FRAMES, predict
from schemas.clip import Transition

DOUBT = (0.36, 0.62)
"""Scores between are for the network to judge; what is below is dropped, what is above is kept."""
MARGIN_FRAMES = 3
PRIOR_WEIGHT = 0.5
"""How far the network's answer must go: a proposal at 0.5 needs `NETWORK_AGREES`, a weaker one more."""
NETWORK_AGREES = 0.25


def accurate(thumbs: Thumbs, times_s: Floats, params: Mapping[str, float]) -> list[Event]:
    """Hard cuts, fades, dissolves and wipes, the doubtful ones judged by TransNetV2 too.

    Params: `doubt_from` (0.36) and `doubt_to` (0.62), the scores between which the network is asked.
    """
    low, high = params.get("doubt_from", DOUBT[0]), params.get("doubt_to", DOUBT[1])
    events = [event for event in propose(thumbs, times_s) if event.score >= low]
    # The network was never shown a wipe and answers none: of wipes the fit alone decides.
    wipes = [event for event in events if event.kind is Transition.wipe]
    others = [event for event in events if event.kind is not Transition.wipe]
    doubtful = [event for event in others if event.score <= high]
    sure = [event for event in others if event.score > high] + [event for event in wipes if event.score >= 0.5]
    if not doubtful:
        return merge_events(sure)
    answers = _ask(thumbs, doubtful)
    kept = [event for event in doubtful if _confirmed(event, answers)]
    return merge_events([*sure, *_apart(kept, sure)])


def _ask(thumbs: Thumbs, events: Sequence[Event]) -> Floats:
    """The network's answers for every frame near one of the events, (2, N); 0 elsewhere."""
    windows: list[int] = []
    for event in sorted(events, key=lambda event: event.start_frame):
        first = max(0, event.start_frame - MARGIN_FRAMES)
        end = min(len(thumbs), event.end_frame + MARGIN_FRAMES)
        # Windows lie where the reference puts them, so that a frame's answer does not hang on what is
        # doubtful.
        windows += range(first - first % STEP_FRAMES, end, STEP_FRAMES)
    answers = np.zeros((2, len(thumbs)), np.float32)
    for window, answer in predict(thumbs, sorted(set(windows))).items():
        answers[:, window : window + answer.shape[1]] = answer
    return answers


def _confirmed(event: Event, answers: Floats) -> bool:
    """Whether the network sees a transition there, the more surely the weaker the proposal is."""
    near = slice(max(0, event.start_frame - MARGIN_FRAMES), event.end_frame + MARGIN_FRAMES)
    single, many = answers[:, near].max(axis=1)
    answer = float(single) if event.kind is Transition.cut else max(float(single), 0.5 * float(many))
    return answer >= NETWORK_AGREES + PRIOR_WEIGHT * (0.5 - event.score)


def _apart(events: Sequence[Event], others: Sequence[Event]) -> list[Event]:
    """The events that touch none of the others."""
    return [
        replace(event)
        for event in events
        if all(event.end_frame <= other.start_frame or other.end_frame <= event.start_frame for other in others)
    ]
