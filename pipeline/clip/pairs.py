"""Pictures and captions of datasets, as pairs to learn from or to be measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pyarrow.compute as pc

from pipeline.clip.model import Picture
from pipeline.dataset import Dataset
from pipeline.originals import KIND
from pipeline.previews import read_previews
from schemas import ConfigError, digest


@dataclass(frozen=True, slots=True)
class CaptionedClip:
    """A clip with the caption that came with its footage."""

    dataset: Dataset
    video_id: str
    clip_id: str
    text: str

    def pictures(self) -> list[Picture]:
        """Its preview pictures in order of time; those that cannot be read are left out."""
        decoded = []
        for name, data in read_previews(self.dataset, self.video_id):
            if name.startswith(f"{self.clip_id}."):
                picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB) if data else None
                if picture is not None:
                    decoded.append(np.asarray(picture, np.uint8))
        return decoded


def captioned_clips(roots: Sequence[str]) -> list[CaptionedClip]:
    """Every clip of these datasets that has a caption of kind `original` and preview pictures.

    Raises:
        ConfigError: One of them is no dataset, or there is no such clip in any.
    """
    clips = []
    for root in roots:
        dataset = Dataset(root)
        dataset.describe()
        captions = dataset.manifest.read(
            "captions", ["clip_id", "video_id", "text"], where=(pc.field("kind") == KIND) & pc.field("text").is_valid()
        )
        clips += [
            CaptionedClip(dataset, row["video_id"], row["clip_id"], row["text"])
            for row in captions.sort_by("clip_id").to_pylist()
            if row["text"].strip() and dataset.fs.exists(dataset.preview_path(row["video_id"]))
        ]
    if not clips:
        raise ConfigError(f"{', '.join(roots)}: holds no clip with a caption that came with its footage")
    return clips


def split(clips: Sequence[CaptionedClip], share: float) -> tuple[list[CaptionedClip], list[CaptionedClip]]:
    """Those to learn from and those kept back; a video lies on one side, whatever else is in the datasets."""
    learnt: list[CaptionedClip] = []
    kept: list[CaptionedClip] = []
    for clip in clips:
        place = int(digest(["clip held out", clip.video_id])[:8], 16) / 16**8
        (kept if place < share else learnt).append(clip)
    return learnt, kept
