"""Scorer: how many faces a clip shows, and how much of the picture they take."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field
from pydantic.config import JsonDict

from pipeline.scorers.face_boxes import FaceDetector, YunetDetector
from pipeline.scorers.face_cascade import Boxes, FaceCascade, cascade_files
from pipeline.scorers.scorer import ClipView, Picture
from schemas import Config, Resources, file_digest

_NO_EFFECT: JsonDict = {"affects_output": False}


class FacesConfig(Config):
    """How faces are looked for."""

    weights: str | None = None
    """An ONNX file of YuNet (OpenCV's model zoo has it); MTCNN from facenet-pytorch's wheel without it."""
    min_confidence: float = Field(0.95, ge=0, le=1)
    """How sure the detector must be of a face. MTCNN gives 0.99 to a face that looks at the camera, and 0.7 to 0.9 also
    to wheels and folds; for YuNet 0.8 is usual."""
    min_face_ratio: float = Field(0.06, gt=0, le=1)
    """Smallest face looked for, its height as a share of the picture's shorter side."""
    gpus: float = Field(0.0, ge=0, json_schema_extra=_NO_EFFECT)
    """GPUs of one worker, for MTCNN."""


def missing(config: FacesConfig) -> str:
    """What must be there first; empty where nothing is."""
    if config.weights is None and importlib.util.find_spec("facenet_pytorch") is None:
        return "needs the package facenet-pytorch (rushes[scorers]), or faces.weights"
    return ""


class Faces:
    """Scorer: faces in each picture.

    Args:
        config: How they are looked for.
    """

    name = "faces"
    version = 1
    needs = frozenset({"pictures"})
    batch_clips = 8
    seconds_a_clip = 0.2

    def __init__(self, config: FacesConfig) -> None:
        self.config = config
        self._detector: FaceDetector | None = None

    @property
    def resources(self) -> Resources:
        """One core, and the GPUs asked for."""
        return Resources(cpus=1, gpus=self.config.gpus)

    def models(self) -> Mapping[str, str]:
        """Digests of the networks' files."""
        if self.config.weights is None:
            return {path.name: file_digest(path) for path in cascade_files()}
        path = Path(self.config.weights)
        YunetDetector(path, self.config.min_confidence)
        return {path.name: file_digest(path)}

    def setup(self) -> None:
        """Load the networks."""
        if self.config.weights is None:
            self._detector = FaceCascade(use_gpu=self.config.gpus > 0)
        else:
            self._detector = YunetDetector(Path(self.config.weights), self.config.min_confidence)

    def score(self, clips: Sequence[ClipView]) -> list[Mapping[str, object]]:
        """Faces in each clip; one picture at a time, so that no clip's scores depend on the others of its batch."""
        return [self._score(clip.pictures) for clip in clips]

    def _score(self, pictures: Sequence[Picture]) -> Mapping[str, object]:
        assert self._detector is not None
        counts, areas = [], []
        for picture in pictures:
            min_face_px = max(1, round(self.config.min_face_ratio * min(picture.shape[:2])))
            found = self._detector(picture, min_face_px)
            faces = found[found[:, 4] >= self.config.min_confidence]
            counts.append(len(faces))
            areas.append(covered(faces, picture.shape[:2]))
        return {"num_faces": max(counts), "face_area_ratio": float(np.mean(areas))}


def covered(boxes: Boxes, shape: tuple[int, ...]) -> float:
    """The share of a picture under boxes; where they overlap it counts once.

    Args:
        boxes: In pixels; what lies outside the picture does not count.
        shape: The picture's height and width.
    """
    mask = np.zeros(shape[:2], np.bool_)
    for left, top, right, bottom in np.rint(boxes[:, :4]).astype(int):
        mask[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
    return float(mask.mean())
