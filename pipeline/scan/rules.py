"""What the child needs of the config, in a form that travels as JSON and costs nothing to import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRules:
    """How videos are cut and what is kept of them; the meanings are those of `ScanConfig`."""

    detector: str = "default"
    detector_params: Mapping[str, float] = field(default_factory=dict)
    min_clip_s: float = 1.0
    max_clip_s: float = 10.0
    guard_frames: int = 1
    num_previews: int = 3
    preview_px: int = 512
    preview_quality: int = 85

    @property
    def looks_per_s(self) -> Fraction:
        """How often a frame is looked at closely: each second, and once at least in the shortest clip."""
        return 1 / min(Fraction(1), Fraction(self.min_clip_s))

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(**value)
