"""Where one shot ends and the next begins: detectors over thumbnails of every frame."""

from __future__ import annotations

from pipeline.shots.detector import DETECTORS, detect, detector_models
from pipeline.shots.event import Event

__all__ = ["DETECTORS", "Event", "detect", "detector_models"]
