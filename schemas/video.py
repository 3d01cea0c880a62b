"""What is known of a source file and of the video in it before it is decoded."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One video stream, as its container and its first decoded frame describe it."""

    stream_index: int
    """Which stream of the container, from 0."""
    container: str
    """The demuxer's name, as FFmpeg writes it (`mov,mp4,m4a,3gp,3g2,mj2`)."""
    codec: str
    pixel_format: str
    width: int
    """As displayed, in pixels: sample aspect ratio and rotation applied."""
    height: int
    """As displayed, in pixels."""
    coded_width: int
    """As decoded, in pixels."""
    coded_height: int
    rotation_deg: int
    """Clockwise turn from the decoded picture to the displayed one: 0, 90, 180 or 270."""
    is_mirrored: bool = False
    """Whether the displayed picture is flipped left to right, before the turn."""
    sample_aspect: Fraction = Fraction(1)
    """Width over height of one decoded sample."""
    frame_rate: Fraction | None
    """Average, in frames a second; None where the container does not tell."""
    is_vfr: bool | None
    """Whether frames last unequally long; None where the container does not tell."""
    is_image: bool
    """A still picture: a video of one frame."""
    num_frames: int | None
    """As the container claims; the scan counts."""
    duration_s: float | None
    has_audio: bool
    color_primaries: str
    color_transfer: str
    color_matrix: str
    color_range: str
    """`limited`, `full` or `unspecified`."""
    field_order: str
    """`progressive`, `tt`, `bb`, `tb`, `bt` or `unknown`."""

    def to_json(self) -> dict[str, Any]:
        """A JSON object, fractions as `[numerator, denominator]`."""
        return {
            name: [value.numerator, value.denominator] if isinstance(value, Fraction) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The inverse of `to_json`.

        Raises:
            TypeError: A field is missing or unknown.
        """
        fractions = {"sample_aspect", "frame_rate"} & value.keys()
        known = {field.name for field in fields(cls)}
        if unknown := value.keys() - known:
            raise TypeError(f"a probe has no field {sorted(unknown)}")
        decoded = {name: Fraction(*value[name]) for name in fractions if value[name] is not None}
        return cls(**{**value, **decoded})
