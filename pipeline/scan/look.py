"""The close look at one frame in a second: preview picture, sharpness, borders, combing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import av
import cv2
import numpy as np
import numpy.typing as npt

from pipeline.media.color import RgbConverter
from pipeline.media.planes import THUMB_HEIGHT, THUMB_WIDTH, LumaReader, NativeLuma
from pipeline.scan.edges import edge_map

Bytes = npt.NDArray[np.uint8]

BLACK_MARGIN: Final = 8
"""8-bit levels above black that still count as black: compression noise in a black bar stays within 4 or so."""
_COMB_LEVELS: Final = 12
"""8-bit levels by which a pixel must stand out from the rows above and below, on the same side of both."""
_COMB_BAND_PX: Final = 128
"""Width of the middle band of columns that is tested for combing."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one frame gave; the fields are those of `FrameLog.look_*`."""

    jpeg: bytes
    rgb: Bytes
    detail: npt.NDArray[np.float32]
    edges: npt.NDArray[np.float32]
    comb: float
    rows: Bytes
    columns: Bytes


class Looker:
    """Looks at frames of one stream.

    Args:
        preview_px: The preview's longer side; frames are not enlarged.
        quality: Its JPEG quality.
    """

    def __init__(self, preview_px: int, quality: int) -> None:
        self._preview_px = preview_px
        self._quality = [int(cv2.IMWRITE_JPEG_QUALITY), quality]
        self._converter = RgbConverter()
        self._reader = LumaReader()

    def look(self, frame: av.VideoFrame) -> Look:
        """Look at one frame as it is stored: no rotation, no sample aspect ratio, no crop."""
        width, height = fit(frame.width, frame.height, self._preview_px)
        rgb = self._converter.to_rgb(frame, width, height)
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        _, jpeg = cv2.imencode(".jpg", bgr, self._quality)
        grey = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8)
        luma = self._reader.read(frame)
        rows, columns = light_profiles(luma)
        return Look(
            jpeg=jpeg.tobytes(),
            rgb=cell_means(rgb),
            detail=detail_map(grey),
            edges=edge_map(grey),
            comb=comb_share(luma),
            rows=rows,
            columns=columns,
        )


def fit(width: int, height: int, longer_px: int) -> tuple[int, int]:
    """The size with the same shape and this longer side, never larger than it was, and one pixel at least."""
    longer = max(width, height)
    if longer <= longer_px:
        return width, height
    return max(1, round(width * longer_px / longer)), max(1, round(height * longer_px / longer))


def cell_means(picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Means over square cells, as many as give a grid of at least 48x27 where the picture has so many pixels.

    What is left over at the right and at the bottom, less than a cell, is not looked at: whole-numbered ratios average
    several times faster.
    """
    height, width = picture.shape[:2]
    side = max(1, min(width // THUMB_WIDTH, height // THUMB_HEIGHT))
    rows, columns = height // side, width // side
    whole = picture[: rows * side, : columns * side]
    return np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA))


def detail_map(grey: Bytes) -> npt.NDArray[np.float32]:
    """Mean square of the Laplacian over each cell, in squared levels."""
    edges = cv2.Laplacian(grey, cv2.CV_32F)
    return cell_means(cv2.multiply(edges, edges))


def light_profiles(luma: NativeLuma) -> tuple[Bytes, Bytes]:
    """The share of each row and of each column that is lighter than black, uint8 (H,) and (W,), in 1/255."""
    height, width = luma.pixels.shape
    _, light = cv2.threshold(luma.pixels, luma.black + BLACK_MARGIN * luma.step, 255, cv2.THRESH_BINARY)
    light = light if light.dtype == np.uint8 else light.astype(np.uint8)
    rows = cv2.reduce(light, 1, cv2.REDUCE_AVG)
    columns = cv2.reduce(light, 0, cv2.REDUCE_AVG)
    return np.asarray(rows, np.uint8).reshape(height), np.asarray(columns, np.uint8).reshape(width)


def comb_share(luma: NativeLuma) -> float:
    """The share of pixels, in a band down the middle, that stand out from both neighbouring rows while those agree.

    Source: the comb test of Donald Graft's Decomb and of FFmpeg's `fieldmatch`: both neighbours differ from a row to
    the same side by a threshold, while they differ less from each other.
    """
    height, width = luma.pixels.shape
    if height < 8:
        return 0.0
    left = max(0, (width - _COMB_BAND_PX) // 2)
    band = luma.pixels[:, left : left + _COMB_BAND_PX].astype(np.int16)
    up = band[1:-1] - band[:-2]
    down = band[1:-1] - band[2:]
    threshold = _COMB_LEVELS * luma.step
    standing = ((up > threshold) & (down > threshold)) | ((up < -threshold) & (down < -threshold))
    agree = np.abs(up - down) < threshold
    return float(np.count_nonzero(standing & agree)) / standing.size
