"""Scorer: how much of the picture is under text, where, and whether it stays in its place."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pydantic import Field
from pydantic.config import JsonDict

from pipeline.scorers.scorer import ClipView, Picture
from pipeline.scorers.text_boxes import Mask, TextDetector, boxes_of, input_size, network_file, union_mask
from schemas import Config, Resources, file_digest

_NO_EFFECT: JsonDict = {"affects_output": False}
_EDGE = 0.2
"""The outer fifth: what an edge crop may take away, as in Open-Sora-Plan's recipe."""
_MAJORITY = 0.6
"""Of the pictures a text that stays must be found in so many: a faint one is missed now and then."""
_SAME_PLACE = 0.8
"""Of the ground that text covers in any picture, from which on it covers the same in all: a line that runs through a
band, subtitles that change. A sign that a slow camera passes keeps two thirds in a second."""
_WIDE = 0.5
"""Least width of such text, as a share of the picture's."""
_SAME = 0.5
"""Correlation of gradients from which on two pictures show the same letters: others in the same place give 0.0 to 0.3,
a half-transparent mark over a moving picture 0.6."""


class TextAreaConfig(Config):
    """How text is looked for."""

    max_side_px: int = Field(512, ge=128, le=4096)
    """Longer side of the picture that the network is shown. Cost grows with its square; previews have 512 px."""
    min_confidence: float = Field(0.6, ge=0, le=1)
    """How sure the network must be of a line of text."""
    min_height_ratio: float = Field(0.015, ge=0, le=1)
    """Lines lower than this share of the picture's height are not counted: 16 px of 1080, smaller than any subtitle."""
    gpus: float = Field(0.0, ge=0, json_schema_extra=_NO_EFFECT)
    """GPUs of one worker; needs `onnxruntime-gpu`."""


class TextArea:
    """Scorer: text found by the detection network of PP-OCRv6, whose weights lie in RapidOCR's wheel.

    Args:
        config: How it is looked for.
    """

    name = "text_area"
    version = 2
    needs = frozenset({"pictures"})
    batch_clips = 8

    def __init__(self, config: TextAreaConfig) -> None:
        self.config = config
        self._detector: TextDetector | None = None

    @property
    def resources(self) -> Resources:
        """One core, and the GPUs asked for."""
        return Resources(cpus=1, gpus=self.config.gpus)

    @property
    def seconds_a_clip(self) -> float:
        """Of three pictures at 16:9; 0.16 s each at 512 px on one core, measured."""
        return 0.5 * (self.config.max_side_px / 512) ** 2

    @cached_property
    def model(self) -> Path:
        """The file of the network that finds text, from its wheel."""
        return network_file(self.name)

    def models(self) -> Mapping[str, str]:
        """The digest of the network's file."""
        return {self.model.name: file_digest(self.model)}

    def setup(self) -> None:
        """Load the network."""
        self._detector = TextDetector(self.model, self.config.max_side_px, use_gpu=self.config.gpus > 0)

    def score(self, clips: Sequence[ClipView]) -> list[Mapping[str, object]]:
        """Areas of text in each clip.

        Pictures are shown to the network one at a time: on a CPU a batch costs the same, and so a clip's scores do not
        depend on which others are scored with it.
        """
        return [self._score(clip.pictures) for clip in clips]

    def _score(self, pictures: Sequence[Picture]) -> Mapping[str, object]:
        assert self._detector is not None
        masks, counts = [], []
        for picture in pictures:
            probabilities = self._detector(picture)
            least = self.config.min_height_ratio * probabilities.shape[0]
            boxes = list(boxes_of(probabilities, min_confidence=self.config.min_confidence, min_height_px=least))
            masks.append(union_mask(boxes, probabilities.shape))
            counts.append(len(boxes))
        static = static_text(masks, pictures, self.config.max_side_px) if len(pictures) > 1 else None
        return {
            "text_area_ratio": float(np.mean([mask.mean() for mask in masks])),
            "text_edge_ratio": float(np.mean([at_edge(mask) for mask in masks])),
            "text_static_ratio": None if static is None else float(static.mean()),
            "num_text_boxes": float(np.mean(counts)),
        }


def at_edge(mask: Mask) -> float:
    """The share of the picture that is text within a fifth of its sides."""
    height, width = mask.shape
    top, left = round(_EDGE * height), round(_EDGE * width)
    inner = mask[top : height - top, left : width - left]
    return float(mask.sum() - inner.sum()) / mask.size


def static_text(masks: Sequence[Mask], pictures: Sequence[Picture], max_side_px: int) -> Mask:
    """Where text stays: found there in most pictures, which show the same there, or a wide band of text in all of them.

    Args:
        masks: Text of each picture, all of one size.
        pictures: The pictures, at least two.
        max_side_px: As the masks were made with.
    """
    counts = np.stack(masks).sum(axis=0, dtype=np.int32)
    often = np.asarray(counts >= max(2, round(_MAJORITY * len(masks))), np.uint8)
    static = _bands(counts, len(masks))
    if not often.any():
        return static
    size = input_size(pictures[0].shape[1], pictures[0].shape[0], max_side_px)
    gradients = [_gradient(picture, size) for picture in pictures]
    num_places, places, stats, _ = cv2.connectedComponentsWithStats(often)
    for place in range(1, num_places):
        x, y, width, height, _ = stats[place]
        window = (slice(y, y + height), slice(x, x + width))
        inside = places[window] == place
        shown = [gradient[window][inside].ravel() for gradient in gradients]
        if np.median([_correlation(first, second) for first, second in itertools.pairwise(shown)]) >= _SAME:
            static[window][inside] = 1
    return static


def _bands(counts: Any, num_pictures: int) -> Mask:
    """Wide text that has the same ground in all pictures, whatever it says."""
    bands = np.zeros(counts.shape, np.uint8)
    num_places, places, stats, _ = cv2.connectedComponentsWithStats((counts > 0).astype(np.uint8))
    for place in range(1, num_places):
        mine = places == place
        if stats[place, cv2.CC_STAT_WIDTH] >= _WIDE * counts.shape[1]:
            bands[mine] = (counts[mine] == num_pictures).mean() >= _SAME_PLACE
    return bands


def _gradient(picture: Picture, size: tuple[int, int]) -> Any:
    """float32 (height, width, 2): how grey changes to the right and downwards, at another size."""
    grey = cv2.cvtColor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    return np.stack([cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)], axis=-1)


def _correlation(first: Any, second: Any) -> float:
    norm = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / norm if norm > 0 else 0.0
