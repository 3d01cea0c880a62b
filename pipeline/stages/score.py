"""Stage: any scorer over the clips of each video, from the preview pictures that the scan kept."""

from __future__ import annotations

import math
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from pipeline.dataset import Dataset
from pipeline.previews import Preview, read_previews
from pipeline.scorers.pictures import by_clip
from pipeline.scorers.scorer import ClipView, Scorer
from pipeline.stages.video_clips import READS, KnownClip, VideoClips
from pipeline.storage import first_line, transfer_errors
from schemas import ErrorKind, MediaError, Resources, Result, Row

_VIDEOS_AT_ONCE = 8
"""Most videos give one to ten clips, so that a batch holds clips of several."""
_NAMED = 3
"""Clips that an error names; the others are counted."""


class ScoreClips:
    """Stage: one `Result` a video, with a row of `scores/NAME` for each clip that could be judged.

    A clip that lacks what the scorer looks at (no picture can be read, no embedding) gets no row, and the result also
    carries an error that names it.

    Args:
        scorer: What gives the values.
        dataset: Where preview pictures lie.
    """

    batch_size = _VIDEOS_AT_ONCE

    def __init__(self, scorer: Scorer, dataset: str) -> None:
        self.scorer = scorer
        self.dataset = dataset
        self._place: Dataset | None = None

    @property
    def name(self) -> str:
        """The scorer's name."""
        return self.scorer.name

    @property
    def version(self) -> int:
        """The scorer's version."""
        return self.scorer.version

    @property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """The clips, and what the scorer needs beside their pictures."""
        return {table: columns for need in ("pictures", *self.scorer.needs) for table, columns in READS[need].items()}

    @property
    def writes(self) -> tuple[str, ...]:
        """The scorer's own table."""
        return (f"scores/{self.scorer.name}",)

    @property
    def resources(self) -> Resources:
        """What the scorer asks for."""
        return self.scorer.resources

    def load(self, row: Row) -> VideoClips:
        """The input that `to_row` gave."""
        return VideoClips(**row)  # type: ignore[arg-type]

    def failed(self, item: VideoClips, error: MediaError) -> Result:
        """A video that could not be judged has no rows."""
        return Result(item.video_id, error=error)

    def setup(self) -> None:
        """Load the scorer's model."""
        self._place = Dataset(self.dataset)
        self.scorer.setup()

    def close(self) -> None:
        """Nothing is held beyond memory."""

    def __call__(self, items: Sequence[VideoClips]) -> Iterator[Result]:
        """Score the videos' clips in batches that may hold clips of several."""
        videos: list[_Video] = []
        batch: list[tuple[_Video, ClipView]] = []
        for item in items:
            videos.append(video := _Video(item))
            for view in self._views(video):
                batch.append((video, view))
                if len(batch) == self.scorer.batch_clips:
                    self._score(batch)
                    batch = []
        self._score(batch)
        for video in videos:
            yield video.result(self.writes[0])

    def _views(self, video: _Video) -> Iterator[ClipView]:
        """What the scorer may look at of each clip that has all it needs."""
        known = {clip.clip_id: clip for clip in video.clips if _has_needed(clip, self.scorer.needs)}
        if "pictures" not in self.scorer.needs:
            for clip in known.values():
                yield ClipView(clip_id=clip.clip_id, embedding=clip.embedding, text=clip.text)
            return
        shapes = {clip_id: clip.shape for clip_id, clip in known.items()}
        pictures = by_clip(self._previews(video), shapes)
        while True:
            with video.clock():
                found = next(pictures, None)
            if found is None:
                return
            clip_id, seen = found
            clip = known[clip_id]
            yield ClipView(clip_id=clip_id, pictures=seen, embedding=clip.embedding, text=clip.text)

    def _previews(self, video: _Video) -> Iterator[Preview]:
        """The video's pictures up to the first damage, which is noted."""
        assert self._place is not None
        try:
            yield from read_previews(self._place, video.video_id)
        except tarfile.TarError as error:
            video.trouble = MediaError(ErrorKind.preview, f"the tar of pictures is damaged: {error}")
        except transfer_errors() as error:
            video.trouble = MediaError(ErrorKind.io, f"the tar of pictures: {first_line(error)}")

    def _score(self, batch: Sequence[tuple[_Video, ClipView]]) -> None:
        """Score a batch; where one of its clips is bad, each alone."""
        started = time.monotonic()
        try:
            values = self.scorer.score([view for _, view in batch]) if batch else ()
        except MediaError as error:
            if len(batch) == 1:
                batch[0][0].errors[batch[0][1].clip_id] = error
                return
            for one in batch:
                self._score([one])
            return
        elapsed_s = time.monotonic() - started
        for (video, view), scores in zip(batch, values, strict=True):
            video.scores[view.clip_id] = {name: finite(value) for name, value in scores.items()}
            video.busy_s += elapsed_s / len(batch)


def _has_needed(clip: KnownClip, needs: frozenset[str]) -> bool:
    if "embedding" not in needs:
        return True
    return clip.embedding is not None and bool(np.isfinite(clip.embedding).all()) and bool(clip.embedding.any())


def finite(value: Any) -> Any:
    """A score as tables hold it: plain numbers, and None for what is not finite."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return list(value) if all(math.isfinite(one) for one in value) else None
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


class _Video:
    """What has been found of one video so far."""

    def __init__(self, item: VideoClips) -> None:
        self.video_id = item.video_id
        self.clips = item.known()
        self.scores: dict[str, dict[str, Any]] = {}
        self.errors: dict[str, MediaError] = {}
        self.trouble: MediaError | None = None
        """Why its pictures ended early."""
        self.busy_s = 0.0

    @contextmanager
    def clock(self) -> Iterator[None]:
        """Count the time of a block as spent on this video."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.busy_s += time.monotonic() - started

    def result(self, table: str) -> Result:
        """Its rows in the order of its clips, and an error for those without."""
        rows = [
            {"clip_id": clip.clip_id, "video_id": self.video_id, **self.scores[clip.clip_id]}
            for clip in self.clips
            if clip.clip_id in self.scores
        ]
        return Result(self.video_id, rows={table: rows}, error=self._error(), busy_s=self.busy_s)

    def _error(self) -> MediaError | None:
        missing = [clip.clip_id for clip in self.clips if clip.clip_id not in self.scores]
        if not missing:
            return None
        why = self.trouble or self.errors.get(missing[0])
        kind, reason = (ErrorKind.preview, "there is nothing to look at") if why is None else (why.kind, str(why))
        named = ", ".join(missing[:_NAMED]) + (", …" if len(missing) > _NAMED else "")
        return MediaError(kind, f"{len(missing)} of {len(self.clips)} clips were not judged ({named}): {reason}")
