"""Stage: a vision-language model describes each kept clip; from one answer come all kinds of captions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from captioner.clips import READS, CaptionInput
from captioner.config import CaptionConfig
from captioner.desk import Answer, Desk
from captioner.engine import CaptionEngine, CaptionReply, CaptionRequest
from captioner.feed import Prepare
from captioner.frames import ClipSpan, WindowReader
from captioner.prompt import Prompt
from captioner.structured import SCHEMA
from captioner.verdict import Verdict, judge
from schemas import TRANSIENT, MediaError, Probe, Resources, Result, Row, digest
from schemas.caption import CaptionKind, CaptionOutcome

_VIDEOS_AT_ONCE = 64
"""Videos of a batch: results come as videos are done, so that a large one delays nothing."""
_KINDS = (CaptionKind.structured, CaptionKind.dense, CaptionKind.short, CaptionKind.camera)
_NOT_ASKED = Verdict(CaptionOutcome.skipped)


@dataclass(slots=True, eq=False)
class _Clip:
    """One clip on its way."""

    video: _Video
    span: ClipSpan
    number: int = 0
    """Of its tries, from 0."""
    verdict: Verdict = _NOT_ASKED

    @property
    def request_id(self) -> str:
        """The clip's id and the try: what goes through the model and must come back."""
        return f"{self.span.clip_id}#{self.number}"


@dataclass(slots=True, eq=False)
class _Video:
    item: CaptionInput
    probe: Probe
    clips: list[_Clip] = field(default_factory=list)
    num_open: int = 0
    """Clips that are not settled."""

    @classmethod
    def of(cls, item: CaptionInput) -> _Video:
        video = cls(item, item.probed())
        video.clips = [_Clip(video, span) for span in item.spans()]
        video.num_open = len(video.clips)
        return video


class CaptionClips:
    """Stage: one `Result` a video as soon as it is done, with a row of `captions` for each kind and clip.

    It may be called from several threads at once: all of them feed one engine.

    Args:
        config: How.
        engine: The model.
        prompt: What it is asked.
        caption_set: The name of what it writes.
        open_reader: Makes what reads the clips' frames, called once for each of `config.readers`.
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
        open_reader: Callable[[], WindowReader],
        resources: Resources,
    ) -> None:
        self.config = config
        self.engine = engine
        self.prompt = prompt
        self.caption_set = caption_set
        self.resources = resources
        self._open_reader = open_reader
        self._readers: list[WindowReader] = []
        self._desk: Desk[_Clip] | None = None

    def load(self, row: Row) -> CaptionInput:
        """The input that `to_row` gave."""
        return CaptionInput(**row)  # type: ignore[arg-type]

    def failed(self, item: CaptionInput, error: MediaError) -> Result:
        """A video that could not be done: each of its clips has rows that say so."""
        video = _Video.of(item)
        for clip in video.clips:
            clip.verdict = Verdict(CaptionOutcome.error, error=error)
        return self._result(video, 0.0)

    def setup(self) -> None:
        """Start the decoders and load the model."""
        self._readers = [self._open_reader() for _ in range(self.config.readers)]
        self._desk = Desk(self.engine, [self._prepare_with(reader) for reader in self._readers])

    def close(self) -> None:
        """Let go of both."""
        if self._desk is not None:
            self._desk.close()
        for reader in self._readers:
            reader.close()

    def __call__(self, items: Sequence[CaptionInput]) -> Iterator[Result]:
        """Caption the clips of the videos; those that fail the checks are asked for again, before all others."""
        assert self._desk is not None, "setup was not called"
        began = time.monotonic()
        videos = [_Video.of(item) for item in items]
        with self._desk.call() as call:
            call.ask(clip for video in videos for clip in video.clips)
            for video in videos:
                if not video.clips:
                    yield self._result(video, 0.0)
            for clip, answer in call:
                if not self._is_settled(clip, answer):
                    call.ask([clip], first=True)
                    continue
                clip.video.num_open -= 1
                if not clip.video.num_open:
                    now = time.monotonic()
                    yield self._result(clip.video, now - began)
                    began = now

    def _is_settled(self, clip: _Clip, answer: Answer) -> bool:
        """Note what became of a clip; False where it is to be asked again."""
        if isinstance(answer, CaptionReply):
            assert answer.request_id == clip.request_id, f"{answer.request_id!r} is given for {clip.request_id!r}"
        clip.verdict = judge(answer, self.config.checks)
        if not clip.verdict.may_improve or clip.number + 1 == self.config.max_tries:
            return True
        clip.number += 1
        return False

    def _prepare_with(self, reader: WindowReader) -> Prepare[_Clip]:
        def prepare(clip: _Clip) -> CaptionRequest:
            # Read anew for each try: kept, the pictures of all clips that fail would fill the memory.
            video = clip.video
            window = reader.read(video.item.uri, video.probe, clip.span, from_start=video.item.is_repaired)
            return CaptionRequest(
                request_id=clip.request_id,
                prompt=self.prompt.text,
                window=window,
                max_tokens=self.config.max_tokens,
                temperature=self.config.retry_temperature if clip.number else self.config.temperature,
                seed=try_seed(self.config.seed, clip.span.clip_id, clip.number),
                schema=SCHEMA,
            )

        return prepare

    def _result(self, video: _Video, busy_s: float) -> Result:
        rows = [row for clip in video.clips for row in self._rows(clip)]
        errors = [clip.verdict.error for clip in video.clips if clip.verdict.error is not None]
        error = None
        if errors:
            # Where one of them may pass, another run tries the video again.
            first = next((one for one in errors if one.kind in TRANSIENT), errors[0])
            error = MediaError(first.kind, f"{len(errors)} of {len(video.clips)} clips have no caption: {first}")
        return Result(video.item.video_id, rows={"captions": rows}, error=error, busy_s=busy_s)

    def _rows(self, clip: _Clip) -> Iterator[Row]:
        """One row of each kind, also where there is no text."""
        verdict, reply = clip.verdict, clip.verdict.reply
        for kind in _KINDS:
            yield {
                "clip_id": clip.span.clip_id,
                "video_id": clip.video.item.video_id,
                "kind": kind.value,
                "caption_set": self.caption_set,
                "text": verdict.texts.get(kind),
                "outcome": verdict.outcome.value,
                "model_id": self.engine.model_id,
                "num_prompt_tokens": reply.num_prompt_tokens if reply is not None else None,
                "num_output_tokens": reply.num_output_tokens if reply is not None else None,
                "flags": list(verdict.flags),
            }


def try_seed(seed: int, clip_id: str, number: int) -> int:
    """The seed of one try for one clip: the same in every run, and another one for each."""
    return int(digest([seed, clip_id, number])[:7], 16)
