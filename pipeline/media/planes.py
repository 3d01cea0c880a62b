"""Small planar YUV pictures of every frame, at the least cost a frame.

Every frame goes through one swscale context into 192x108 4:2:0, 8 bit, in the frame's own range; thumbnails are
exact 4x4 (luma) and 2x2 (chroma) averages of those, made full range by a table, in batches. The shape of the picture is
not kept: cut detection and motion compare like with like.

Why 192x108: FAST_BILINEAR reads two samples a row and two rows whatever the ratio, so cost falls with the size of the
output (25 to 45 us a frame here, 59 at 256x144), and whole-numbered ratios average 8 times faster than 256 to 48.
Frame differences of the thumbnails follow those of true area averages with a correlation above 0.999 (5 files).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.format import VideoFormat
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from pipeline.media.color import color_of, plane_pixels

Bytes = npt.NDArray[np.uint8]

PLANE_WIDTH: Final = 192
PLANE_HEIGHT: Final = 108
THUMB_WIDTH: Final = 48
THUMB_HEIGHT: Final = 27

_FULL_RANGE = int(ColorRange.JPEG)
_FORMAT = VideoFormat("yuv420p")
_INTERPOLATION = int(Interpolation.FAST_BILINEAR)


class PlaneBatch:
    """Reduced pictures of up to `capacity` frames of one stream, in buffers that are used again.

    Args:
        capacity: Frames in a batch.
    """

    def __init__(self, capacity: int = 64) -> None:
        self.capacity = capacity
        self._luma = np.empty((capacity, PLANE_HEIGHT, PLANE_WIDTH), np.uint8)
        self._chroma = np.empty((2, capacity, PLANE_HEIGHT // 2, PLANE_WIDTH // 2), np.uint8)
        self._is_full = np.zeros(capacity, np.bool_)
        self._reformatter = VideoReformatter()
        self._seen: tuple[str, int, int] | None = None
        self._range = 1
        self._frame_range: int | None = None
        self.num_frames = 0
        """Frames in the batch now."""

    def add(self, frame: av.VideoFrame) -> None:
        """Reduce one frame into the batch.

        Raises:
            ValueError: The batch is full.
        """
        k = self.num_frames
        if k == self.capacity:
            raise ValueError(f"the batch holds its {self.capacity} frames")
        seen = (frame.format.name, frame.color_range, frame.colorspace)
        if seen != self._seen:
            color = color_of(frame)
            self._seen, self._range = seen, color.range_argument
            # Of RGB swscale makes the range that we ask for; of YUV it must leave it alone, which it does not for yuvj.
            self._frame_range = color.range_argument if color.is_yuv else None
        small = self._reformatter.reformat(
            frame,
            PLANE_WIDTH,
            PLANE_HEIGHT,
            format=_FORMAT,  # type: ignore[arg-type]
            interpolation=_INTERPOLATION,
            src_color_range=self._frame_range,
            dst_color_range=self._range,
            threads=1,
        )
        self._luma[k] = plane_pixels(small, 0)[:, :PLANE_WIDTH]
        self._chroma[0, k] = plane_pixels(small, 1)[:, : PLANE_WIDTH // 2]
        self._chroma[1, k] = plane_pixels(small, 2)[:, : PLANE_WIDTH // 2]
        self._is_full[k] = self._range == _FULL_RANGE
        self.num_frames = k + 1

    def clear(self) -> None:
        """Begin the next batch; arrays given out before are overwritten."""
        self.num_frames = 0

    @property
    def luma(self) -> Bytes:
        """Luma in the frames' own range, uint8 (n, 108, 192); valid until `clear`."""
        return self._luma[: self.num_frames]

    @property
    def is_full_range(self) -> npt.NDArray[np.bool_]:
        """Whose range is full, bool (n,); valid until `clear`."""
        return self._is_full[: self.num_frames]

    def thumbs(self) -> Bytes:
        """Thumbnails in full range: Y, Cb, Cr 4:4:4, uint8 (n, 27, 48, 3)."""
        n = self.num_frames
        size = (THUMB_WIDTH, n * THUMB_HEIGHT)
        planes = (self._luma[:n], self._chroma[0, :n], self._chroma[1, :n])
        # One tall picture of all frames: the ratios are whole, so no average reaches into the next frame.
        small = [cv2.resize(plane.reshape(-1, plane.shape[2]), size, interpolation=cv2.INTER_AREA) for plane in planes]
        merged = np.asarray(cv2.merge(small), np.uint8).reshape(n, THUMB_HEIGHT, THUMB_WIDTH, 3)
        limited = ~self._is_full[:n]
        if limited.all():
            return np.asarray(cv2.LUT(merged.reshape(size[1], -1, 3), TO_FULL_RANGE), np.uint8).reshape(merged.shape)
        for k in np.flatnonzero(limited):
            merged[k] = cv2.LUT(merged[k], TO_FULL_RANGE)
        return merged


def _to_full_range() -> Bytes:
    """Full-range value of each limited-range one, uint8 (1, 256, 3). Source: ITU-R BT.601-7, 2.5.3."""
    code = np.arange(256, dtype=np.float64)
    luma = (code - 16) * 255 / 219
    chroma = (code - 128) * 255 / 224 + 128
    return np.clip(np.rint(np.stack([luma, chroma, chroma], -1)), 0, 255).astype(np.uint8)[None]


TO_FULL_RANGE: Final = _to_full_range()


@dataclass(frozen=True, slots=True)
class NativeLuma:
    """Luma of a decoded picture at its own size and depth."""

    pixels: npt.NDArray[Any]
    """uint8 or uint16 (height, width)."""
    black: int
    """The code of black."""
    step: int
    """Codes an 8-bit level."""


class LumaReader:
    """Reads luma at native size, from the frame's own memory where its format allows."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def read(self, frame: av.VideoFrame) -> NativeLuma:
        """The frame's luma; valid as long as the frame is.

        Formats that do not hold luma in a plane of 8 to 16-bit numbers are converted to 8-bit grey first.
        """
        depth = _LUMA_DEPTH.get(frame.format.name)
        color = color_of(frame)
        if depth is None:
            frame = self._reformatter.reformat(frame, format="gray", dst_color_range=_FULL_RANGE, threads=1)
            return NativeLuma(plane_pixels(frame, 0)[:, : frame.width], black=0, step=1)
        step = 1 << (depth - 8)
        pixels = plane_pixels(frame, 0)
        if depth > 8:
            pixels = pixels.view("<u2")
        return NativeLuma(pixels[:, : frame.width], 0 if color.is_full_range else 16 * step, step)


_LUMA_DEPTH: Final = {
    **dict.fromkeys(
        [
            "yuv420p",
            "yuv422p",
            "yuv444p",
            "yuv440p",
            "yuv411p",
            "yuv410p",
            "yuvj420p",
            "yuvj422p",
            "yuvj444p",
            "yuvj440p",
            "yuvj411p",
            "yuva420p",
            "yuva422p",
            "yuva444p",
            "nv12",
            "nv21",
            "nv16",
            "gray",
        ],
        8,
    ),
    **{f"yuv{shape}p{bits}le": bits for shape in (420, 422, 444) for bits in (9, 10, 12, 14, 16)},
    **{f"yuva{shape}p{bits}le": bits for shape in (420, 422, 444) for bits in (9, 10, 12, 16)},
    **{f"gray{bits}le": bits for bits in (9, 10, 12, 14, 16)},
}
"""Formats whose first plane is luma in the low bits of 8 or 16-bit numbers, with their depth."""
