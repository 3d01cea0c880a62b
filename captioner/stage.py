"""Stage: a vision-language model describes each kept clip; from one answer come all kinds of captions."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from captioner.checks import flags
from captioner.clips import READS, CaptionInput
from captioner.config import CaptionConfig
from captioner.engine import CaptionEngine, CaptionReply, CaptionRequest
from captioner.feed import ReadyFeed
from captioner.frames import ClipReader, ClipSpan, OpenSource
from captioner.prompt import Prompt
from captioner.structured import SCHEMA, clean_text, read_structured, render
from pipeline.media import MediaLimits
from schemas import TRANSIENT, ErrorKind, MediaError, Probe, Resources, Result, Row, digest
from schemas.caption import CaptionKind, CaptionOutcome

_VIDEOS_AT_ONCE = 64
"""Videos of a batch: between two batches the engine runs empty, so they are large."""
_MAX_CHARACTERS = 20_000
"""Of a text that is kept: a model that does not end writes more."""
_KINDS = (CaptionKind.structured, CaptionKind.dense, CaptionKind.short, CaptionKind.camera)


@dataclass(slots=True)
class _Clip:
    """One clip on its way."""

    video: _Video
    span: ClipSpan
    tries: int = 0
    texts: dict[CaptionKind, str] = field(default_factory=dict)
    outcome: CaptionOutcome = CaptionOutcome.skipped
    flags: list[str] = field(default_factory=list)
    reply: CaptionReply | None = None
    error: MediaError | None = None

    @property
    def request_id(self) -> str:
        """The clip's id and the try: what goes through the model and must come back."""
        return f"{self.span.clip_id}#{self.tries}"


@dataclass(slots=True)
class _Video:
    item: CaptionInput
    probe: Probe
    clips: list[_Clip] = field(default_factory=list)


class CaptionClips:
    """Stage: one `Result` a video, with a row of `captions` for each kind and clip.

    Args:
        config: How.
        engine: The model.
        prompt: What it is asked.
        caption_set: The name of what it writes.
        limits: What a decoder may use.
        open_source: How a uri becomes a path.
        resources: What one worker occupies.
    """

    name = "caption"
    version = 1
    reads: Mapping[str, tuple[str, ...]] = READS
    writes = ("captions",)
    batch_size = _VIDEOS_AT_ONCE

    def __init__(
        self,
        config: CaptionConfig,
        engine: CaptionEngine,
        prompt: Prompt,
        caption_set: str,
        limits: MediaLimits,
        open_source: OpenSource,
        resources: Resources,
    ) -> None:
        self.config = config
        self.engine = engine
        self.prompt = prompt
        self.caption_set = caption_set
        self.resources = resources
        self._limits = limits
        self._open_source = open_source
        self._readers: list[ClipReader] = []

    def load(self, row: Row) -> CaptionInput:
        """The input that `to_row` gave."""
        return CaptionInput(**row)  # type: ignore[arg-type]

    def failed(self, item: CaptionInput, error: MediaError) -> Result:
        """A video that could not be done: each of its clips has rows that say so."""
        video = _Video(item, item.probed())
        video.clips = [_Clip(video, span, outcome=CaptionOutcome.error, error=error) for span in item.spans()]
        return self._result(video, 0.0)

    def setup(self) -> None:
        """Load the model and start the decoders."""
        self.engine.setup()
        self._readers = [
            ClipReader(self.config.frames, self._limits, self._open_source) for _ in range(self.config.readers)
        ]

    def close(self) -> None:
        """Let go of both."""
        for reader in self._readers:
            reader.close()
        self.engine.close()

    def __call__(self, items: Sequence[CaptionInput]) -> Iterator[Result]:
        """Caption the clips of the videos, all together; those that fail the checks are asked for again."""
        started = time.monotonic()
        videos = [_Video(item, item.probed()) for item in items]
        for video in videos:
            video.clips = [_Clip(video, span) for span in video.item.spans()]
        waiting = [clip for video in videos for clip in video.clips]
        for number in range(self.config.max_tries):
            for clip in waiting:
                clip.tries = number
            self._ask(waiting)
            waiting = [clip for clip in waiting if clip.error is None and clip.outcome is not CaptionOutcome.success]
            if not waiting:
                break
        elapsed_s = time.monotonic() - started
        num_clips = sum(len(video.clips) for video in videos)
        for video in videos:
            yield self._result(video, elapsed_s * len(video.clips) / max(num_clips, 1))

    def _ask(self, clips: Sequence[_Clip]) -> None:
        """Have the model answer once for each of the clips."""
        by_request = {clip.request_id: clip for clip in clips}
        feed = ReadyFeed(clips, [self._prepare_with(reader) for reader in self._readers], _unreadable)
        try:
            for reply in self.engine.generate(feed):
                # What comes back says whose it is; an answer to nothing we asked is our bug, or the engine's.
                clip = by_request.pop(reply.request_id, None)
                assert clip is not None, f"the engine answers {reply.request_id!r}, which was not asked"
                self._judge(clip, reply)
        finally:
            feed.close()
        lost = [clip for clip in by_request.values() if clip.error is None]
        assert not lost, f"the engine gave no answer for {lost[0].request_id}"

    def _prepare_with(self, reader: ClipReader) -> Any:
        def prepare(clip: _Clip) -> CaptionRequest:
            # Read anew for each try: kept, the pictures of all clips that fail would fill the memory.
            video = clip.video
            window = reader.read(video.item.uri, video.probe, clip.span, from_start=video.item.is_repaired)
            is_first = clip.tries == 0
            return CaptionRequest(
                request_id=clip.request_id,
                prompt=self.prompt.text,
                window=window,
                max_tokens=self.config.max_tokens,
                temperature=self.config.temperature if is_first else self.config.retry_temperature,
                seed=try_seed(self.config.seed, clip.span.clip_id, clip.tries),
                schema=SCHEMA,
            )

        return prepare

    def _judge(self, clip: _Clip, reply: CaptionReply) -> None:
        """Read an answer, check it, and note what became of it."""
        clip.reply = reply
        clip.texts, clip.flags = {}, []
        if reply.finish == "error":
            # Not asked again: the engine has tried, and a prompt that is too long stays so.
            clip.error, clip.outcome = MediaError(ErrorKind.engine, reply.error), CaptionOutcome.error
            clip.flags = ["engine"]
            return
        try:
            caption = read_structured(reply.text)
        except ValueError:
            # What was written is kept for people to see, and for no training.
            clip.texts = {CaptionKind.structured: clean_text(reply.text)[:_MAX_CHARACTERS]}
            is_cut = reply.finish == "length"
            clip.outcome = CaptionOutcome.truncated if is_cut else CaptionOutcome.refused
            clip.flags = ["truncated" if is_cut else "no_json"]
            return
        clip.texts = render(caption)
        clip.flags = flags(clip.texts[CaptionKind.dense], self.config.checks)
        clip.outcome = CaptionOutcome.refused if clip.flags else CaptionOutcome.success

    def _result(self, video: _Video, busy_s: float) -> Result:
        rows = [row for clip in video.clips for row in self._rows(clip)]
        errors = [clip.error for clip in video.clips if clip.error is not None]
        error = None
        if errors:
            # Where one of them may pass, another run tries the video again.
            first = next((one for one in errors if one.kind in TRANSIENT), errors[0])
            error = MediaError(first.kind, f"{len(errors)} of {len(video.clips)} clips have no caption: {first}")
        return Result(video.item.video_id, rows={"captions": rows}, error=error, busy_s=busy_s)

    def _rows(self, clip: _Clip) -> Iterator[Row]:
        """One row of each kind, also where there is no text."""
        reply = clip.reply
        for kind in _KINDS:
            yield {
                "clip_id": clip.span.clip_id,
                "video_id": clip.video.item.video_id,
                "kind": kind.value,
                "caption_set": self.caption_set,
                "text": clip.texts.get(kind),
                "outcome": clip.outcome.value,
                "model_id": self.engine.model_id,
                "num_prompt_tokens": reply.num_prompt_tokens if reply is not None else None,
                "num_output_tokens": reply.num_output_tokens if reply is not None else None,
                "flags": list(clip.flags),
            }


def _unreadable(clip: _Clip, error: MediaError) -> None:
    clip.error, clip.outcome, clip.flags = error, CaptionOutcome.error, ["frames"]
    clip.texts, clip.reply = {}, None


def try_seed(seed: int, clip_id: str, number: int) -> int:
    """The seed of one try for one clip: the same in every run, and another one for each."""
    return int(digest([seed, clip_id, number])[:7], 16)
