"""Everything measured of the frames of one video, or of one segment of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

import numpy as np
import numpy.typing as npt

_MAGIC: Final = b"rushes-frame-log-1\n"
_ALIGN: Final = 64

Array = npt.NDArray[Any]


@dataclass(slots=True, kw_only=True)
class FrameLog:
    """Measurements in order of presentation; N frames, L of them looked at closely, M motion pairs, J JPEG bytes.

    A log of a segment holds one look and one pair too many at its ends, where only the neighbour can tell whether
    they belong to the whole; `pipeline.scan.join.join_logs` settles that, for a single log too.
    """

    time_base: Fraction
    """Seconds a tick."""
    end_pts: int
    """Where the last frame ends, in ticks."""
    frame_width: int
    """Of the first frame as decoded, in pixels."""
    frame_height: int
    num_bad_packets: int
    num_repaired_pts: int
    num_interlaced: int
    """Frames that the decoder marks as interlaced."""

    pts: Array
    """int64 (N,), strictly increasing, in ticks."""
    thumbs: Array
    """uint8 (N, 27, 48, 3): full-range Y, Cb, Cr; an array or a memory map."""
    change: Array
    """float32 (N,): mean absolute change of luma since the frame before, in full-range levels; 0 for the first."""
    changed_area: Array
    """float32 (N,): share of the picture whose luma changed by more than 3 levels since the frame before, 0 to 1."""

    look_frames: Array
    """int64 (L,): which frames were looked at closely."""
    look_rgb: Array
    """uint8 (L, h, w, 3): display RGB, in cells of the preview picture (about 48x27)."""
    look_detail: Array
    """float32 (L, h, w): mean square of the Laplacian of the preview's luma in the same cells, in squared levels."""
    look_edges: Array
    """float32 (L, h, w, 3): lightest, darkest and steepest pixel of the same cells, in levels (a pixel)."""
    look_comb: Array
    """float32 (L,): share of native pixels that stand out from the rows above and below, 0 to 1."""
    look_rows: Array
    """uint8 (L, H): share of each native row that is lighter than black, in 1/255."""
    look_columns: Array
    """uint8 (L, W): share of each native column that is lighter than black, in 1/255."""
    jpeg_ends: Array
    """int64 (L,): where each look's JPEG ends in `jpegs`."""
    jpegs: Array
    """uint8 (J,): preview candidates, one after the other."""

    pair_frames: Array
    """int64 (M, 2): first and second frame of each motion pair."""
    pair_motion: Array
    """float32 (M, 5): columns of `pipeline.scan.motion.COLUMNS`."""
    edge_luma: Array
    """uint8 (3, 54, 96): small luma of the first frame, of the first pair's second, of the last pair's second; zeros
    where there is no pair."""
    edge_planes: Array
    """uint8 (2, 108, 192): reduced luma of the first and the last frame, in the frames' own range."""
    edge_gain: Array
    """float32 (2,): full-range levels a level of those."""

    @property
    def num_frames(self) -> int:
        """N."""
        return len(self.pts)

    @property
    def times_s(self) -> npt.NDArray[np.float64]:
        """Presentation times in seconds of the stream's clock, (N,)."""
        return np.asarray(self.pts, np.float64) * float(self.time_base)

    def jpeg(self, look: int) -> bytes:
        """The JPEG of one look."""
        begin = int(self.jpeg_ends[look - 1]) if look else 0
        return bytes(self.jpegs[begin : int(self.jpeg_ends[look])].tobytes())

    def write(self, file: BinaryIO) -> None:
        """Write a header in JSON and the arrays as they lie in memory, little-endian."""
        header: dict[str, Any] = {
            "time_base": [self.time_base.numerator, self.time_base.denominator],
            "arrays": [],
        }
        arrays: list[Array] = []
        for name in _names():
            value = getattr(self, name)
            if isinstance(value, np.ndarray):
                array = np.ascontiguousarray(value)
                header["arrays"].append([name, array.dtype.str, list(array.shape)])
                arrays.append(array)
            elif name != "time_base":
                header[name] = value
        text = json.dumps(header, separators=(",", ":")).encode("ascii")
        file.write(_MAGIC + len(text).to_bytes(8, "little") + text)
        position = len(_MAGIC) + 8 + len(text)
        for array in arrays:
            padding = -position % _ALIGN
            file.write(bytes(padding))
            file.write(array.data if array.size else b"")
            position += padding + array.nbytes

    @classmethod
    def open(cls, path: Path) -> Self:
        """Map a written log into memory, read-only.

        Raises:
            ValueError: The file is no such log, or is cut short.
        """
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise ValueError(f"{path.name}: not a frame log")
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
        position = len(_MAGIC) + 8 + length
        whole = np.memmap(path, np.uint8, mode="r")
        header["time_base"] = Fraction(*header["time_base"])
        for name, dtype, shape in header.pop("arrays"):
            position += -position % _ALIGN
            num_bytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
            if position + num_bytes > len(whole):
                raise ValueError(f"{path.name}: cut short in {name}")
            header[name] = whole[position : position + num_bytes].view(dtype).reshape(shape)
            position += num_bytes
        return cls(**header)


def _names() -> Sequence[str]:
    return [field.name for field in fields(FrameLog)]
