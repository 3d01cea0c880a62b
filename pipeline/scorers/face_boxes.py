"""Where faces are in a picture: what a detector is, and the one whose file the user has."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from pipeline.scorers.face_cascade import Boxes
from pipeline.scorers.scorer import Picture
from schemas import ConfigError

_PROBE_PX = 64


class FaceDetector(Protocol):
    """Finds faces in one picture."""

    def __call__(self, picture: Picture, min_face_px: int) -> Boxes:
        """The faces found, in no order.

        Args:
            picture: Where to look.
            min_face_px: Smallest face of interest, in pixels.
        """


class YunetDetector:
    """YuNet, run by OpenCV.

    Args:
        model: Its ONNX file, as in OpenCV's model zoo.
        min_confidence: Least confidence of a face, 0 to 1.

    Raises:
        ConfigError: The file is not there, OpenCV cannot make a network of it, or that network is not YuNet.
    """

    def __init__(self, model: Path, min_confidence: float) -> None:
        if not model.is_file():
            raise ConfigError(f"faces.weights: {model}: there is no such file")
        try:
            self._network = cv2.FaceDetectorYN.create(str(model), "", (320, 320), min_confidence)
        except cv2.error as error:
            raise ConfigError(f"faces.weights: {model}: is no ONNX file of a network: {error.err}") from error
        # OpenCV takes any network, and tells the difference when it is first asked.
        try:
            self(np.zeros((_PROBE_PX, _PROBE_PX, 3), np.uint8), 1)
        except (cv2.error, ValueError, IndexError) as error:
            raise ConfigError(f"faces.weights: {model}: is an ONNX file, but its network is not YuNet") from error

    def __call__(self, picture: Picture, min_face_px: int) -> Boxes:
        """The faces found."""
        height, width = picture.shape[:2]
        self._network.setInputSize((width, height))
        # None where there is no face, whatever its declaration says.
        found: Any = self._network.detect(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
        if found is None:
            return np.empty((0, 5), np.float32)
        left, top, wide, high = np.asarray(found, np.float32)[:, :4].T
        boxes = np.stack([left, top, left + wide, top + high, np.asarray(found)[:, 14]], axis=1).astype(np.float32)
        return np.asarray(boxes[high >= min_face_px], np.float32)
