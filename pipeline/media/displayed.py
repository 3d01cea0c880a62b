"""A crop of the displayed picture at a wanted size: turned, with square samples, in display RGB."""

from __future__ import annotations

import cv2
import numpy as np
from av.video.frame import VideoFrame

from pipeline.media.color import Rgb, RgbConverter
from pipeline.media.orientation import turned
from schemas.video import Probe


class DisplayedCrop:
    """Turns decoded frames of one video into pictures of one size.

    Args:
        probe: How the video is displayed.
        crop: x, y, width, height in the displayed picture, in pixels.
        width: Of the picture given, in pixels.
        height: Of the picture given, in pixels.
    """

    def __init__(self, probe: Probe, crop: tuple[int, int, int, int], width: int, height: int) -> None:
        x, y, crop_width, crop_height = crop
        scale_x, scale_y = width / crop_width, height / crop_height
        # The whole displayed picture at the scale of the crop: what lies outside costs little beside the decoding.
        self._size = (max(width, round(probe.width * scale_x)), max(height, round(probe.height * scale_y)))
        self._left = min(round(x * scale_x), self._size[0] - width)
        self._top = min(round(y * scale_y), self._size[1] - height)
        self._width, self._height = width, height
        self._probe = probe
        self._converter = RgbConverter()

    def __call__(self, frame: VideoFrame) -> Rgb:
        """The picture of one frame, uint8 (height, width, 3)."""
        wide, high = self._size
        if self._probe.rotation_deg in (90, 270):
            wide, high = high, wide
        picture = self._converter.to_rgb(frame, wide, high)
        if self._probe.is_mirrored:
            picture = np.asarray(cv2.flip(picture, 1), np.uint8)
        picture = turned(picture, self._probe.rotation_deg)
        inside = picture[self._top : self._top + self._height, self._left : self._left + self._width]
        return np.ascontiguousarray(inside)
