"""Scorer: whether a mark lies over the film: a logo, a name, half-transparent lettering."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from pipeline.clip.tensors import read_tensors
from pipeline.scorers.embedding import EmbeddingConfig
from pipeline.scorers.persistence import MIN_VIEWS, Candidate, Overlay, candidates, common, distinct, overlay_of
from pipeline.scorers.scorer import ClipView, Picture
from pipeline.scorers.text_boxes import TextBox, TextDetector, boxes_of, input_size, network_file, union_mask
from schemas import Config, ConfigError, ErrorKind, MediaError, Resources, file_digest

_SURE_PIXELS = 250
"""Edge pixels at which a mark is as likely as not. Small marks in real footage gave 300 to 2000, what agreed by chance
below 50 where views differ, and up to 220 where a camera is thrown about."""
_MIN_CHANGING = 0.5
_MAX_EDGES_AROUND = 0.03
_MIN_ROUNDNESS = 0.1
_MIN_DENSITY = 0.1
_MAX_AREA = 0.35

_SIDE_PX = 512
"""Longer side at which lettering is looked for."""
_GAIN = 4.0
"""By which an overlay's contrast is raised for the network: the faintest marks differ by 20 levels from the film."""
_MIN_CONFIDENCE = 0.6
_MIN_HEIGHT = 0.02
_STANDS = 0.9
"""Edges that all pictures show, from which share on the film stands still, and a mark looks like a sign in it."""
_CORNER = (0.2, 0.1)
"""A corner mark ends within these shares of the picture's width and height from two sides; a sign without letters may
stand before it."""
_STAYS = 0.4
"""Of the edges within a corner mark, those that all pictures share: fewer are left of lines that run or change."""
_CORNER_SIZE = (0.6, 0.2)
"""Its greatest width and height, as shares of the picture's."""
_LONGEST = 8.0
"""Length over height of its lines: a mark is a name, a caption a sentence."""
_OFF_CENTRE = 0.1
"""How far its middle lies from the picture's, as a share of the width: subtitles are centred."""
_LEVEL_DEG = 8.0
"""Lines that lean by less are level."""
_SLANTS = (12.0, 60.0)
_ALIKE_DEG = 6.0
_FEWEST_SLANTING = 3
"""Of lines that lean alike: one pattern all over the picture."""
_LARGE = (0.13, 0.27)
"""Height of lettering across the picture, as shares of the shorter side: captions are smaller."""
_LARGE_ASPECT = 3.0
_CONTRAST = (12.0, 110.0)
"""Levels between lettering and film: what is less is no lettering, large letters that are more are opaque."""


Head = tuple[npt.NDArray[np.float64], float]
"""float64 (width,) and a bias."""


class WatermarkConfig(Config):
    """How marks are looked for."""

    method: Literal["persistence", "head"] = "persistence"
    """`persistence`: what stays in its place while the film changes: lettering, by the network of `text_area`, and
    where a clip shows three different views also other marks. `head`: a linear head on the clip's embedding."""
    weights: str | None = None
    """For `head`: a file of `weight` and `bias` (.safetensors), trained on embeddings of the same model."""
    batch_clips: int = Field(16, ge=1, json_schema_extra={"affects_output": False})
    """Clips judged at once."""

    @model_validator(mode="after")
    def _head_has_weights(self) -> Self:
        if self.method == "head" and self.weights is None:
            raise ValueError("method 'head' needs weights: the path of a linear head")
        if self.method == "persistence" and self.weights is not None:
            raise ValueError("weights are for method 'head', and method is 'persistence'")
        return self


def missing(config: WatermarkConfig, embedding: EmbeddingConfig) -> str:
    """What must be configured first; empty where nothing is."""
    return "needs embedding.weights" if config.method == "head" and embedding.weights is None else ""


class Watermark:
    """Scorer: how sure it is that a mark lies over the picture.

    Args:
        config: How it is looked for.
    """

    name = "watermark"
    version = 2
    resources = Resources()

    def __init__(self, config: WatermarkConfig) -> None:
        self.config = config
        self.batch_clips = config.batch_clips
        self._head: Head | None = None
        self._detector: TextDetector | None = None

    @property
    def needs(self) -> frozenset[str]:
        """Pictures, or the embedding."""
        return frozenset({"embedding" if self.config.method == "head" else "pictures"})

    @property
    def seconds_a_clip(self) -> float:
        """Of three pictures, measured."""
        return 0.0003 if self.config.method == "head" else 0.2

    def models(self) -> Mapping[str, str]:
        """The digest of the head, or of the network's file.

        Raises:
            ConfigError: It is not there or is no head.
        """
        if self.config.weights is None:
            network = network_file(self.name)
            return {network.name: file_digest(network)}
        path = Path(self.config.weights)
        read_head(path)
        return {"watermark": file_digest(path)}

    def setup(self) -> None:
        """Load the head, or the network."""
        if self.config.weights is not None:
            self._head = read_head(Path(self.config.weights))
        else:
            self._detector = TextDetector(network_file(self.name), _SIDE_PX)

    def score(self, clips: Sequence[ClipView]) -> Sequence[Mapping[str, object]]:
        """The certainty for each clip, 0 to 1; None where nothing can be told.

        Raises:
            MediaError: An embedding is of another width than the head wants.
        """
        judge = self._by_head if self.config.method == "head" else self._by_persistence
        return [{"watermark_score": judge(clip)} for clip in clips]

    def _by_persistence(self, clip: ClipView) -> float | None:
        assert self._detector is not None
        if len(clip.pictures) < 2:
            return certainty(clip.pictures)
        size = input_size(clip.pictures[0].shape[1], clip.pictures[0].shape[0], _SIDE_PX)
        overlay = overlay_of(clip.pictures, size)
        shown = np.clip(128 + _GAIN * overlay.picture, 0, 255).astype(np.uint8)
        probabilities = self._detector(np.repeat(shown[..., None], 3, axis=2))
        least = _MIN_HEIGHT * probabilities.shape[0]
        lines = list(boxes_of(probabilities, min_confidence=_MIN_CONFIDENCE, min_height_px=least))
        # Of what the network reads, captions are no marks, however surely they stay.
        return lettered(lines, overlay) if lines else certainty(clip.pictures)

    def _by_head(self, clip: ClipView) -> float | None:
        assert self._head is not None
        if clip.embedding is None:
            return None
        weights, bias = self._head
        if clip.embedding.shape != weights.shape:
            raise MediaError(
                ErrorKind.preview,
                f"the embedding has {clip.embedding.size} numbers, the head of watermark wants {weights.size}",
            )
        return logistic(float(weights @ clip.embedding.astype(np.float64)) + bias)


def read_head(path: Path) -> Head:
    """A linear head: a file of `weight`, (width,) or (1, width), and `bias`, one number.

    Raises:
        ConfigError: The file is not there or holds something else.
    """
    tensors = read_tensors(path, "watermark.weights")
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    weight, bias = tensors.get("weight"), tensors.get("bias")
    if weight is None or bias is None or len(tensors) != 2 or bias.numel() != 1 or weight.numel() != weight.shape[-1]:
        raise ConfigError(f"watermark.weights: {path} must hold `weight` (1, width) and `bias` (1,), it has {shapes}")
    return weight.double().numpy().ravel(), float(bias.double().item())


def logistic(value: float) -> float:
    """From any number to 0 to 1, 0 to one half."""
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, value))))


def certainty(pictures: Sequence[Picture]) -> float | None:
    """How sure it is that a mark lies over these pictures, 0 to 1; None with fewer than three different views.

    A rule that wants unjudged clips to stay says `coalesce(watermark_score, 0) < 0.5`.

    Args:
        pictures: Of one clip, of one size.
    """
    views = distinct(pictures)
    if len(views) < MIN_VIEWS:
        return None
    return max((strength(mark) for mark in candidates(common(views))), default=0.0)


def strength(mark: Candidate) -> float:
    """How sure it is that a group of common edges is a mark, 0 to 1."""
    is_alone = mark.edges_around <= _MAX_EDGES_AROUND and mark.area_ratio <= _MAX_AREA
    is_drawn = mark.density >= _MIN_DENSITY and mark.roundness >= _MIN_ROUNDNESS
    if not is_alone or not is_drawn or mark.changing_around < _MIN_CHANGING:
        return 0.0
    return mark.num_edge_pixels / (mark.num_edge_pixels + _SURE_PIXELS)


def lettered(lines: Sequence[TextBox], overlay: Overlay) -> float:
    """How sure it is that lettering over a film is a mark, 0 to 1; 0 for a caption, which is opaque and level.

    Marks are one line or two in a corner, lines that slant all over the picture, or large letters that the film shines
    through.

    Args:
        lines: Found in the overlay, in its pixels.
        overlay: What the film's pictures have in common.
    """
    if overlay.standing >= _STANDS:
        return 0.0
    sure = [line.confidence for line in _slanting(lines)]
    for line in lines:
        level = abs(line.tilt_deg) <= _LEVEL_DEG
        if level and (_is_in_corner(line, lines, overlay) or _shines_through(line, overlay)):
            sure.append(line.confidence)
    return max(sure, default=0.0)


def _slanting(lines: Sequence[TextBox]) -> Sequence[TextBox]:
    """Lines that lean alike, if they are enough for a pattern."""
    leaning = [line for line in lines if _SLANTS[0] <= abs(line.tilt_deg) <= _SLANTS[1]]
    usual = float(np.median([line.tilt_deg for line in leaning])) if leaning else 0.0
    alike = [line for line in leaning if abs(line.tilt_deg - usual) <= _ALIKE_DEG]
    return alike if len(alike) >= _FEWEST_SLANTING else []


def _is_in_corner(line: TextBox, lines: Sequence[TextBox], overlay: Overlay) -> bool:
    """Whether a line belongs to something small in a corner."""
    height, width = overlay.picture.shape
    left, top, right, bottom = _block(line, lines)
    is_small = right - left <= _CORNER_SIZE[0] * width and bottom - top <= _CORNER_SIZE[1] * height
    is_name = line.length_px <= _LONGEST * line.height_px
    is_aside = abs((left + right) / 2 - width / 2) >= _OFF_CENTRE * width
    is_there = min(left, width - right) <= _CORNER[0] * width and min(top, height - bottom) <= _CORNER[1] * height
    return is_small and is_name and is_aside and is_there and _stays(line, overlay)


def _block(line: TextBox, lines: Sequence[TextBox]) -> tuple[float, float, float, float]:
    """The box around a line and all that lies within a line's height of it, or of those."""
    left, top, right, bottom = _bounds(line)
    # Each round may bring others near.
    for _ in lines:
        for other in lines:
            reach = max(line.height_px, other.height_px)
            x0, y0, x1, y1 = _bounds(other)
            if x0 <= right + reach and left <= x1 + reach and y0 <= bottom + reach and top <= y1 + reach:
                left, top, right, bottom = min(left, x0), min(top, y0), max(right, x1), max(bottom, y1)
    return left, top, right, bottom


def _stays(line: TextBox, overlay: Overlay) -> bool:
    mine = union_mask([line], overlay.usual.shape) > 0
    return bool(overlay.common[mine].sum() >= _STAYS * overlay.usual[mine].sum())


def _bounds(line: TextBox) -> tuple[float, float, float, float]:
    (left, top), (right, bottom) = line.corners.min(axis=0), line.corners.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def _shines_through(line: TextBox, overlay: Overlay) -> bool:
    """Whether large lettering does not reach the contrast of opaque letters."""
    height = line.height_px / min(overlay.picture.shape)
    if not _LARGE[0] <= height <= _LARGE[1] or line.length_px < _LARGE_ASPECT * line.height_px:
        return False
    levels = overlay.picture[union_mask([line], overlay.picture.shape) > 0]
    if not levels.size:
        return False
    low, high = np.percentile(levels, (10, 97))
    return bool(_CONTRAST[0] <= high - low <= _CONTRAST[1])
