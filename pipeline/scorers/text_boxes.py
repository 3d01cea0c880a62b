"""Where text is in a picture: the detection network of PP-OCRv6, and boxes from its answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.scorers.model_files import wheel_file
from pipeline.scorers.scorer import Picture

Probabilities = npt.NDArray[np.float32]
"""float32 (height, width): that a pixel is in the core of a line of text, 0 to 1."""
Mask = npt.NDArray[np.uint8]
"""uint8 (height, width): 1 where text is, else 0."""

_STRIDE = 32
"""The network halves its input so many times that sides must be multiples of this."""
_ENLARGE = 2.0
"""Small pictures are enlarged at most by this: beyond it no letter becomes more legible."""
_CORE = 0.3
"""Pixels above this belong to a line's core.

Source: RapidOCR 3.10, `config.yaml`, `Det.thresh`."""
_UNCLIP = 1.6
"""How far a line reaches beyond its core, as a factor of the core's area over its perimeter.

Source: Liao et al. 2020, Real-time Scene Text Detection with Differentiable Binarization, section 3.4; the value from
RapidOCR 3.10, `Det.unclip_ratio`."""

_MAX_HEIGHT = 0.4
"""Highest line, as a share of the picture's height."""
_HIGH = 0.2
"""From here on, as a share of the shorter side, a line must be long for its height: things of one colour are taken for
large letters, and are about as wide as high."""
_LEAST_ASPECT = 3.5
"""Length over height of such a line: a word of five capitals."""


def network_file(scorer: str) -> Path:
    """The network's weights, in RapidOCR's wheel.

    Args:
        scorer: Who needs it, for the message.

    Raises:
        ConfigError: They, or what runs them, are not installed.
    """
    wheel_file("onnxruntime", "__init__.py", scorer=scorer)
    return wheel_file("rapidocr", "models", "PP-OCRv6_det_small.onnx", scorer=scorer)


@dataclass(frozen=True, slots=True)
class TextBox:
    """One line of text."""

    corners: npt.NDArray[np.float32]
    """float32 (4, 2): x and y, in pixels of the network's input."""
    height_px: float
    """Its shorter side."""
    length_px: float
    """Its longer side."""
    tilt_deg: float
    """By which it rises to the right, -90 to 90."""
    confidence: float
    """Mean probability over the core, 0 to 1."""


class TextDetector:
    """The network.

    Args:
        model: Its ONNX file.
        max_side_px: Longer side of what it is shown.
        threads: How many it may use.
        use_gpu: Whether to run on CUDA where ONNX Runtime can.
    """

    def __init__(self, model: Path, max_side_px: int, *, threads: int = 1, use_gpu: bool = False) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        wanted = ["CUDAExecutionProvider", "CPUExecutionProvider"] if use_gpu else ["CPUExecutionProvider"]
        providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
        self._session = onnxruntime.InferenceSession(str(model), options, providers=providers)
        self._input = self._session.get_inputs()[0].name
        self._max_side_px = max_side_px

    def __call__(self, picture: Picture) -> Probabilities:
        """The probabilities, at the size of the network's input."""
        return self.run(network_input(picture, self._max_side_px))

    def run(self, values: npt.NDArray[np.float32]) -> Probabilities:
        """The network alone, on what `network_input` gives."""
        (answer,) = self._session.run(None, {self._input: values})
        return np.asarray(answer[0, 0], np.float32)


def input_size(width: int, height: int, max_side_px: int) -> tuple[int, int]:
    """The size at which a picture is shown to the network: each side the nearest multiple of 32, at least one."""
    scale = min(max_side_px / max(width, height), _ENLARGE)
    return tuple(max(1, round(side * scale / _STRIDE)) * _STRIDE for side in (width, height))  # type: ignore[return-value]


def network_input(picture: Picture, max_side_px: int) -> npt.NDArray[np.float32]:
    """A picture as the network wants it: float32 (1, 3, height, width), blue first, -1 to 1."""
    size = input_size(picture.shape[1], picture.shape[0], max_side_px)
    shrinks = size[0] < picture.shape[1]
    resized = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    values: Any = cv2.dnn.blobFromImage(resized, 1 / 127.5, mean=(127.5, 127.5, 127.5), swapRB=True)
    return np.asarray(values, np.float32)


def boxes_of(probabilities: Probabilities, *, min_confidence: float, min_height_px: float) -> Iterator[TextBox]:
    """The lines of text in the network's answer.

    A line higher than two fifths of the picture is none: where there is no text, the network often takes the whole
    picture for one line, with full confidence and at any size (in a tenth of real clips; such boxes reach over 0.46 to
    1.2 of the height, the largest real lettering over 0.34). A high line that is short is none either.

    Args:
        probabilities: For each pixel.
        min_confidence: Least mean probability over a line's core, 0 to 1.
        min_height_px: Least height of a line, in pixels of the network's input.
    """
    core = (probabilities > _CORE).astype(np.uint8)
    contours, _ = cv2.findContours(cv2.dilate(core, np.ones((2, 2), np.uint8)), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    for contour in contours:
        center, (width, height), angle = cv2.minAreaRect(contour)
        if min(width, height) < 1:
            continue
        grow = 2 * _UNCLIP * width * height / (2 * (width + height))
        shorter, longer = min(width, height) + grow, max(width, height) + grow
        if not min_height_px <= shorter <= _MAX_HEIGHT * probabilities.shape[0]:
            continue
        if shorter > _HIGH * min(probabilities.shape) and longer < _LEAST_ASPECT * shorter:
            continue
        confidence = _mean_inside(probabilities, cv2.boxPoints((center, (width, height), angle)))
        if confidence >= min_confidence:
            corners = cv2.boxPoints((center, (width + grow, height + grow), angle))
            tilt_deg = -(angle if width >= height else angle - 90)
            tilt_deg -= 180 * round(tilt_deg / 180)
            yield TextBox(np.asarray(corners, np.float32), shorter, longer, tilt_deg, confidence)


def _mean_inside(values: Probabilities, corners: Any) -> float:
    x, y, width, height = cv2.boundingRect(corners)
    left, top = max(x, 0), max(y, 0)
    part = values[top : y + height, left : x + width]
    inside = np.zeros(part.shape, np.uint8)
    cv2.fillPoly(inside, [np.rint(corners - (left, top)).astype(np.int32)], 1)
    return float(cv2.mean(part, inside)[0])


def union_mask(boxes: list[TextBox], shape: tuple[int, int]) -> Mask:
    """The pixels under any of the boxes.

    Args:
        boxes: In pixels of the mask.
        shape: Its height and width.
    """
    mask = np.zeros(shape, np.uint8)
    for box in boxes:
        cv2.fillPoly(mask, [np.rint(box.corners).astype(np.int32)], 1)
    return mask
