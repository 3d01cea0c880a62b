"""Stage: the captions of a video's clips become one caption of the whole, and keep their times beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from captioner.verdict import Verdict
from captioner.video_parts import READS, VideoParts
from schemas import MediaError, Resources, Result, Row
from schemas.caption import CaptionKind, CaptionOutcome

_VIDEOS_AT_ONCE = 64


class Merger(Protocol):
    """Makes one text of a video's parts."""

    @property
    def name(self) -> str:
        """What the table calls it."""

    @property
    def model_id(self) -> str | None:
        """The model that writes; None where none does."""

    def setup(self) -> None:
        """Load what is heavy, once in each worker."""

    def __call__(self, items: Sequence[VideoParts]) -> Iterator[tuple[VideoParts, Verdict]]:
        """The text of each video that has parts, as it is ready, of the kind `dense`."""

    def close(self) -> None:
        """Let go of what `setup` took."""


class CaptionVideos:
    """Stage: one `Result` a video, with its row of `video_captions`; without a row where it has no parts.

    Times are those of the clips: no model is asked for them.

    Args:
        merger: How one text comes of many.
        caption_set: Which captions are read, and the name of what comes of them.
        resources: What one worker occupies.
    """

    name = "video_caption"
    version = 1
    reads: Mapping[str, tuple[str, ...]] = READS
    writes = ("video_captions",)
    batch_size = _VIDEOS_AT_ONCE

    def __init__(self, merger: Merger, caption_set: str, resources: Resources) -> None:
        self.merger = merger
        self.caption_set = caption_set
        self.resources = resources

    def load(self, row: Row) -> VideoParts:
        """The input that `to_row` gave."""
        return VideoParts(**row)  # type: ignore[arg-type]

    def failed(self, item: VideoParts, error: MediaError) -> Result:
        """A video that could not be done has its parts, and no text."""
        return self._result(item, Verdict(CaptionOutcome.error, error=error), 0.0)

    def setup(self) -> None:
        """Load the model, where there is one."""
        self.merger.setup()

    def close(self) -> None:
        """Let it go."""
        self.merger.close()

    def __call__(self, items: Sequence[VideoParts]) -> Iterator[Result]:
        """Caption the videos."""
        began = time.monotonic()
        for item in items:
            if not item.num_parts:
                yield Result(item.video_id)
        for item, verdict in self.merger([item for item in items if item.num_parts]):
            now = time.monotonic()
            yield self._result(item, verdict, now - began)
            began = now

    def _result(self, item: VideoParts, verdict: Verdict, busy_s: float) -> Result:
        row: Row = {
            "video_id": item.video_id,
            "caption_set": self.caption_set,
            "text": verdict.texts.get(CaptionKind.dense),
            "parts": [{"start_s": part.start_s, "end_s": part.end_s, "text": part.text} for part in item.parts()],
            "outcome": verdict.outcome.value,
            "merge": self.merger.name,
            "model_id": self.merger.model_id,
            "flags": list(verdict.flags),
        }
        return Result(item.video_id, rows={"video_captions": [row]}, error=verdict.error, busy_s=busy_s)
