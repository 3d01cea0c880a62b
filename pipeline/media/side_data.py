"""What travels beside a decoded frame.

PyAV 18.1 numbers the kinds of side data up to 27 and raises `ValueError` on a frame that carries any newer
one (Exif is 31, and every phone's photo has it). Its list is an enum that can be told of other numbers.
"""

from __future__ import annotations

from typing import Any

from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame


def display_matrix(frame: VideoFrame) -> bytes | None:
    """How the frame is to be turned, as nine 32-bit integers; None where nothing says."""
    # The stubs call this a mapping of strings to objects.
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    return None if matrix is None else bytes(matrix)


def _unknown(cls: type[Any], value: int) -> Any:
    member = object.__new__(cls)
    member._name_, member._value_ = f"UNKNOWN_{value}", value
    return member


Type._missing_ = classmethod(_unknown)  # type: ignore[assignment]
