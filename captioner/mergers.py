"""The two ways in which the captions of a video's clips become one text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from captioner.config import CaptionConfig
from captioner.desk import Desk
from captioner.engine import CaptionEngine, CaptionRequest
from captioner.extract import extract
from captioner.merge import Merging
from captioner.prompt import Prompt
from captioner.verdict import Verdict, judge_text
from captioner.video_parts import VideoParts
from schemas import ConfigError, digest
from schemas.caption import CaptionKind, CaptionOutcome

_MARK_TOKENS = 64
"""Of a model's own around a prompt."""
_LEAST_BYTES = 400
"""Of captions in one request: with less of them it cannot be called merging."""


class ExtractMerger:
    """Sentences of the captions themselves, each behind its time; see `captioner.extract`.

    Args:
        config: How long the text may be.
    """

    name = "extract"
    model_id = None

    def __init__(self, config: CaptionConfig) -> None:
        self._max_words = config.video.max_words

    def setup(self) -> None:
        """Nothing is heavy here."""

    def __call__(self, items: Sequence[VideoParts]) -> Iterator[tuple[VideoParts, Verdict]]:
        """One video after the other."""
        for item in items:
            text = extract(item.parts(), self._max_words)
            yield item, Verdict(CaptionOutcome.success, {CaptionKind.dense: text})

    def close(self) -> None:
        """Nothing is held."""


@dataclass(slots=True, eq=False)
class _Video:
    item: VideoParts
    merging: Merging


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Captions that one request is to merge."""

    video: _Video
    level: int
    place: int
    captions: Sequence[str]
    number: int = 0
    """Of its tries, from 0."""

    @property
    def request_id(self) -> str:
        return f"{self.video.item.video_id}#{self.level}.{self.place}#{self.number}"

    def again(self) -> _Group:
        return replace(self, number=self.number + 1)


class ModelMerger:
    """A model writes one description from those of consecutive clips, and from these one again, until one is left.

    Args:
        config: How.
        engine: The model.
        prompt: What it is asked, with a place `{captions}`.

    Raises:
        ConfigError: The prompt has no such place, or the model's context no room for captions.
    """

    name = "model"

    def __init__(self, config: CaptionConfig, engine: CaptionEngine, prompt: Prompt) -> None:
        if "{captions}" not in prompt.text:
            raise ConfigError(f"caption.video.prompt: {prompt.name}: has no place {{captions}}")
        self._config, self._engine = config, engine
        self._prompt = prompt.text.replace("{words}", str(config.video.max_words))
        tokens = config.engine.max_model_len - config.video.max_tokens - _MARK_TOKENS
        self._max_bytes = int(tokens * config.video.bytes_a_token) - len(self._prompt.encode())
        if self._max_bytes < _LEAST_BYTES:
            raise ConfigError(
                f"caption.engine.max_model_len: {config.engine.max_model_len} tokens leave no room for captions beside "
                f"the prompt {prompt.name} and caption.video.max_tokens {config.video.max_tokens}"
            )
        self._checks = config.checks.model_copy(update={"max_words": 2 * config.video.max_words})
        self._desk: Desk[_Group] | None = None

    @property
    def model_id(self) -> str:
        """The engine's."""
        return self._engine.model_id

    def setup(self) -> None:
        """Load the model."""
        self._desk = Desk(self._engine, [self._request])

    def close(self) -> None:
        """Let it go."""
        if self._desk is not None:
            self._desk.close()

    def __call__(self, items: Sequence[VideoParts]) -> Iterator[tuple[VideoParts, Verdict]]:
        """All videos together, each level by level."""
        assert self._desk is not None, "setup was not called"
        with self._desk.call() as call:
            for item in items:
                video = _Video(item, Merging([part.text for part in item.parts()], self._max_bytes))
                if video.merging.text is not None:
                    yield item, _success(video.merging.text)
                call.ask(_groups(video))
            lost: set[str] = set()
            for group, answer in call:
                video = group.video
                if video.item.video_id in lost:
                    continue
                verdict = judge_text(answer, self._checks)
                if verdict.may_improve and group.number + 1 < self._config.max_tries:
                    call.ask([group.again()], first=True)
                elif verdict.outcome is not CaptionOutcome.success:
                    # Without one of its groups the whole cannot be told.
                    lost.add(video.item.video_id)
                    yield video.item, verdict
                elif video.merging.put(group.place, verdict.texts[CaptionKind.dense]):
                    if video.merging.text is not None:
                        yield video.item, verdict
                    call.ask(_groups(video), first=True)

    def _request(self, group: _Group) -> CaptionRequest:
        return CaptionRequest(
            request_id=group.request_id,
            prompt=self._prompt.replace("{captions}", "\n".join(group.captions)),
            max_tokens=self._config.video.max_tokens,
            temperature=self._config.retry_temperature if group.number else self._config.temperature,
            seed=int(digest([self._config.seed, group.request_id])[:7], 16),
        )


def _groups(video: _Video) -> list[_Group]:
    """What is to be asked now; nothing for a video that is done."""
    if video.merging.text is not None:
        return []
    level = video.merging.level
    return [_Group(video, level, place, group) for place, group in video.merging.next_groups().items()]


def _success(text: str) -> Verdict:
    return Verdict(CaptionOutcome.success, {CaptionKind.dense: text})
