"""The section `scan` of a run's config."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, JsonValue, model_validator

from pipeline.scan.rules import ScanRules
from schemas.config import Config

_NO_EFFECT: dict[str, JsonValue] = {"affects_output": False}


class ScanConfig(Config):
    """How videos are cut into shots and clips, and what is kept of them."""

    detector: Literal["default", "accurate", "content", "adaptive", "transnet"] = "default"
    """Who finds the shots. `accurate` and `transnet` need the extra `accurate`."""
    detector_params: dict[str, float] = Field(default_factory=dict)
    """The detector's own settings, by name; each has a default."""
    min_clip_s: float = Field(1.0, gt=0, allow_inf_nan=False)
    """Shots shorter than this give no clip, in seconds: they hold hardly any motion. It is short because what is not
    made here can only be had by another scan, while a longer minimum is a rule over clips, and costs a query."""
    max_clip_s: float = Field(10.0, gt=0, allow_inf_nan=False)
    """Longer shots are cut into pieces of nearly equal length and at most this, in seconds: what today's models make in
    one go, and what a captioner still describes without forgetting the beginning."""
    guard_frames: int = Field(1, ge=0, le=100)
    """Frames that a clip leaves out where its shot begins or ends with a transition: encoders smear a cut over a frame,
    and nobody can tell the first frame of a fade from the one before."""
    num_previews: int = Field(3, ge=1, le=32)
    """Preview pictures a clip, spread over it; one too short to have been looked at so often has fewer, never none."""
    preview_px: int = Field(512, ge=64, le=2048)
    """The longer side of a preview picture, in pixels; smaller pictures are not enlarged."""
    preview_quality: int = Field(85, ge=1, le=100)
    """JPEG quality of the preview pictures."""
    segment_s: float = Field(60.0, gt=0, allow_inf_nan=False, json_schema_extra=_NO_EFFECT)
    """Videos more than twice as long are cut at keyframes into segments of about this, in seconds, which decode side by
    side. The result is the same."""
    max_children: int | None = Field(None, ge=1, json_schema_extra=_NO_EFFECT)
    """Places for decoders on this machine, the number of cores by default. A worker's first decoder runs in any case,
    further ones for a long video only while a place is free."""

    @model_validator(mode="after")
    def _lengths_agree(self) -> Self:
        if self.min_clip_s > self.max_clip_s / 2:
            raise ValueError(
                f"min_clip_s must be at most half of max_clip_s, got {self.min_clip_s} and {self.max_clip_s}"
            )
        return self

    def rules(self) -> ScanRules:
        """What the decoder's child needs of this."""
        return ScanRules(
            detector=self.detector,
            detector_params=self.detector_params,
            min_clip_s=self.min_clip_s,
            max_clip_s=self.max_clip_s,
            guard_frames=self.guard_frames,
            num_previews=self.num_previews,
            preview_px=self.preview_px,
            preview_quality=self.preview_quality,
        )
