"""What a decoded picture's numbers mean, and how they become display RGB.

Rules, the same for every component that looks at pictures:

- **Range**: what the frame declares; `yuvj*` and RGB are full; undeclared YUV is limited.
- **Matrix**: what the frame declares; undeclared is BT.601 up to 576 lines and BT.709 above, as players do.
- **SDR** goes to 8-bit RGB as it is: no change of transfer or primaries.
- **PQ and HLG** are tone-mapped to sRGB: linear light, reference white (203 cd/m2) = 1, each pixel scaled so that its
  largest component follows a curve that is the identity up to `KNEE` and reaches 1 at `PEAK`, then BT.2020 primaries
  to BT.709 (for linear light), clipped, and the sRGB curve.
  HLG is taken as shown on a display of 1000 cd/m2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

Rgb = npt.NDArray[np.uint8]
"""Display RGB, uint8 (H, W, 3)."""

REFERENCE_WHITE_NITS: Final = 203.0
"""Luminance of diffuse white in PQ and HLG programmes. Source: ITU-R BT.2408-7, table 1."""
PEAK: Final = 1000.0 / REFERENCE_WHITE_NITS
"""What becomes the brightest white, relative to reference white; brighter light clips."""
KNEE: Final = 0.5
"""Linear light up to which the tone curve is the identity, relative to reference white."""

_FULL, _LIMITED = int(ColorRange.JPEG), int(ColorRange.MPEG)
_AVCOL_SPC_RGB = 0
_AVCOL_SPC_UNSPECIFIED = 2
_MATRICES: Final = {
    1: int(Colorspace.ITU709),
    4: int(Colorspace.FCC),
    5: int(Colorspace.ITU601),
    6: int(Colorspace.ITU601),
    7: int(Colorspace.SMPTE240M),
    9: int(Colorspace.BT2020),
    10: int(Colorspace.BT2020),
}
"""FFmpeg's AVColorSpace to swscale's matrix; others (YCgCo, ICtCp, …) swscale cannot undo: read as undeclared."""
_SD_LINES = 576
_AVCOL_TRC_PQ, _AVCOL_TRC_HLG = 16, 18
_AVCOL_PRI_BT2020 = 9


@dataclass(frozen=True, slots=True)
class PictureColor:
    """How the numbers of a decoded picture are to be read."""

    is_yuv: bool
    """Luma and colour differences (grey included), not RGB."""
    is_full_range: bool
    matrix: int
    """swscale's number of the YCbCr matrix; of no meaning for RGB."""
    transfer: str
    """`sdr`, `pq` or `hlg`."""
    has_wide_primaries: bool
    """BT.2020 primaries; looked at only for `pq` and `hlg`."""

    @property
    def range_argument(self) -> int:
        """The range as swscale takes it."""
        return _FULL if self.is_full_range else _LIMITED


def color_of(frame: av.VideoFrame) -> PictureColor:
    """How to read this frame, by the rules at the top of this module."""
    return _color(
        frame.format.name,
        frame.colorspace,
        frame.color_range,
        frame.color_trc,
        frame.color_primaries,
        frame.height,
    )


@lru_cache(maxsize=64)
def _color(name: str, space: int, range_: int, transfer: int, primaries: int, height: int) -> PictureColor:
    is_yuv = name.startswith(
        ("yuv", "yuy", "uyv", "yvy", "nv", "p0", "p2", "p4", "y2", "ayuv", "vuy", "xv", "gray", "ya", "mono")
    )
    if name.startswith("yuvj") or not is_yuv:
        is_full = True
    elif name.startswith(("gray", "ya", "mono")):
        is_full = range_ != _LIMITED
    else:
        is_full = range_ == _FULL
    undeclared = int(Colorspace.ITU601) if height <= _SD_LINES else int(Colorspace.ITU709)
    kinds = {_AVCOL_TRC_PQ: "pq", _AVCOL_TRC_HLG: "hlg"}
    return PictureColor(
        is_yuv=is_yuv,
        is_full_range=is_full,
        matrix=_MATRICES.get(space, undeclared),
        transfer=kinds.get(transfer, "sdr"),
        has_wide_primaries=primaries == _AVCOL_PRI_BT2020,
    )


class RgbConverter:
    """Turns frames into display RGB; keeps swscale's tables from one frame to the next.

    Args:
        interpolation: How pictures are scaled down; area averaging keeps small text and does not alias.
    """

    def __init__(self, interpolation: int = int(Interpolation.AREA)) -> None:
        self._interpolation = interpolation
        self._reformatter = VideoReformatter()

    def to_rgb(self, frame: av.VideoFrame, width: int, height: int) -> Rgb:
        """The frame as display RGB, uint8 (height, width, 3).

        The decoded picture as it is stored: rotation and sample aspect ratio are not applied.
        """
        color = color_of(frame)
        deep = color.transfer != "sdr"
        scaled = self._reformatter.reformat(
            frame,
            width,
            height,
            format="rgb48le" if deep else "rgb24",
            src_colorspace=color.matrix if color.is_yuv else None,
            src_color_range=color.range_argument,
            interpolation=self._interpolation,
            threads=1,
        )
        row = plane_pixels(scaled, 0)
        if not deep:
            return row[:, : width * 3].reshape(height, width, 3)
        signal = np.ascontiguousarray(row[:, : width * 6]).view("<u2").reshape(height, width, 3)
        return tone_map(signal, color.transfer, wide_primaries=color.has_wide_primaries)


def plane_pixels(frame: av.VideoFrame, index: int) -> npt.NDArray[np.uint8]:
    """The bytes of one plane, uint8 (rows, bytes a row with padding), without a copy; valid as long as the frame is."""
    plane = frame.planes[index]
    pixels: npt.NDArray[np.uint8] = np.frombuffer(plane, np.uint8)  # type: ignore[call-overload]
    return pixels.reshape(-1, abs(plane.line_size))


def to_rgb(frame: av.VideoFrame, width: int, height: int) -> Rgb:
    """One frame as display RGB, uint8 (height, width, 3); for many of one stream keep an `RgbConverter`."""
    return RgbConverter().to_rgb(frame, width, height)


def tone_map(signal: npt.NDArray[np.uint16], transfer: str, *, wide_primaries: bool) -> Rgb:
    """HDR to sRGB by the rule at the top of this module.

    Args:
        signal: Non-linear R'G'B', full range uint16 (H, W, 3).
        transfer: `pq` or `hlg`.
        wide_primaries: Whether the primaries are BT.2020's; else BT.709's.
    """
    light = _linear_table(transfer)[signal]
    if transfer == "hlg":
        # Source: ITU-R BT.2100-2, table 5: the display's gamma is 1.2 at 1000 cd/m2 and works on luminance.
        luminance = light @ np.array([0.2627, 0.6780, 0.0593], np.float32)
        light = light * (np.maximum(luminance, 1e-6) ** np.float32(0.2))[..., None] * np.float32(PEAK)
    largest = np.maximum(light.max(axis=-1), 1e-6)
    light = light * (_tone_curve(largest) / largest)[..., None]
    if wide_primaries:
        light = light @ _BT2020_TO_BT709.T
    code = np.clip(light * 4095.0 + 0.5, 0.0, 4095.0).astype(np.uint16)
    return np.asarray(_srgb_table()[code], np.uint8)


_BT2020_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
"""Source: ITU-R BT.2087-0, the inverse of its conversion from BT.709 to BT.2020."""


def _tone_curve(light: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Identity up to `KNEE`, smooth from there to 1 at `PEAK`.

    Source: the extended curve of Reinhard et al. 2002, equation 4, applied to what exceeds the knee.
    """
    over = np.maximum(light - KNEE, 0.0) / (1.0 - KNEE)
    white = (PEAK - KNEE) / (1.0 - KNEE)
    bent = over * (1.0 + over / white**2) / (1.0 + over)
    return np.where(light <= KNEE, light, np.minimum(KNEE + (1.0 - KNEE) * bent, 1.0)).astype(np.float32)


@lru_cache(maxsize=2)
def _linear_table(transfer: str) -> npt.NDArray[np.float32]:
    """Light for each 16-bit code: relative to reference white for PQ, scene light in [0, 1] for HLG."""
    code = np.arange(65536, dtype=np.float64) / 65535.0
    if transfer == "pq":
        # Source: SMPTE ST 2084, equations 4.1 and 5.1.
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        power = code ** (1 / m2)
        nits = 10000.0 * (np.maximum(power - c1, 0.0) / (c2 - c3 * power)) ** (1 / m1)
        return (nits / REFERENCE_WHITE_NITS).astype(np.float32)
    if transfer == "hlg":
        # Source: ITU-R BT.2100-2, table 5, inverse OETF.
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        return np.where(code <= 0.5, code**2 / 3.0, (np.exp((code - c) / a) + b) / 12.0).astype(np.float32)
    raise ValueError(f"transfer is pq or hlg, got {transfer!r}")


@lru_cache(maxsize=1)
def _srgb_table() -> npt.NDArray[np.uint8]:
    """8-bit sRGB for each of 4096 steps of linear light. Source: IEC 61966-2-1."""
    light = np.arange(4096, dtype=np.float64) / 4095.0
    coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.round(coded * 255.0), np.uint8)
