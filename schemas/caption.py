"""Captions: their kinds, what became of them, and what a captioner is asked and answers."""

from __future__ import annotations

from enum import StrEnum


class CaptionKind(StrEnum):
    """What a caption is for; the value is what the table `captions` holds."""

    structured = "structured"
    """JSON, field by field: what the model itself wrote."""
    dense = "dense"
    """All of it in sentences."""
    short = "short"
    """One sentence."""
    camera = "camera"
    """How the camera moves."""
    original = "original"
    """What came with the footage."""


class CaptionOutcome(StrEnum):
    """What became of a caption."""

    success = "success"
    truncated = "truncated"
    """The model did not come to an end within its tokens."""
    refused = "refused"
    """The model declined, or what it wrote did not pass the checks, every time."""
    error = "error"
    """No answer: its pictures could not be read, or the engine failed."""
    skipped = "skipped"
    """Nothing was asked."""


CAMERA_MOTIONS = (
    "static",
    "pan left",
    "pan right",
    "tilt up",
    "tilt down",
    "zoom in",
    "zoom out",
    "dolly in",
    "dolly out",
    "truck left",
    "truck right",
    "pedestal up",
    "pedestal down",
    "orbit",
    "handheld",
)
"""The fixed vocabulary of camera motion."""
