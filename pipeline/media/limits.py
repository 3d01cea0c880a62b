"""What decoding one file may cost at most."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Self

_MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLimits:
    """Limits of a decoder's child process and of what it accepts.

    Raises:
        ValueError: A limit is not positive, or the ratio is not in [0, 1].
    """

    memory_bytes: int = 2048 * _MIB
    """Address space a child may take over what its imports took. An 8K HEVC stream in 10 bit holds 1.7 GB."""
    start_s: float = 60.0
    """A child must be ready after so long, in seconds; it takes 0.2 on an idle machine."""
    stall_s: float = 60.0
    """A job without any progress for so long is killed, in seconds."""
    job_s: float = 4 * 3600.0
    """A job that takes longer is killed, in seconds."""
    probe_s: float = 120.0
    """The same for looking at a file before it is decoded, in seconds."""
    max_pixels: int = 8192 * 8192
    """Pixels of one decoded frame; larger ones are refused before any memory is taken for them."""
    max_frames: int = 20_000_000
    """Frames of one video: 92 hours at 60 frames a second."""
    max_bad_packet_ratio: float = 0.5
    """A video with a larger share of packets that cannot be decoded is corrupt; below, they are only
    counted."""
    max_reply_bytes: int = 1024 * _MIB
    """How much the parent accepts in answer to one job."""
    recycle_after: int = 200
    """A child is replaced after so many jobs, so that leaks of decoders do not add up."""

    def __post_init__(self) -> None:
        """Refuse what could never work."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0 and field.name != "max_bad_packet_ratio":
                raise ValueError(f"a limit is positive, got {field.name}={value!r}")
        if not 0 <= self.max_bad_packet_ratio <= 1:
            raise ValueError(f"a ratio lies in [0, 1], got {self.max_bad_packet_ratio=}")

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The inverse of `to_json`.

        Raises:
            TypeError: A field is unknown.
        """
        return cls(**value)
