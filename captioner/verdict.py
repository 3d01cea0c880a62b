"""What becomes of an answer: a caption in all its kinds, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from captioner.checks import flags
from captioner.config import ChecksConfig
from captioner.desk import Answer
from captioner.engine import CaptionReply
from captioner.structured import clean_text, read_structured, render
from schemas import ErrorKind, MediaError
from schemas.caption import CaptionKind, CaptionOutcome

MAX_CHARACTERS = 20_000
"""Of a text that is kept: a model that does not end writes more."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One answer, judged."""

    outcome: CaptionOutcome
    texts: Mapping[CaptionKind, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    """What is wrong with it, one word each."""
    error: MediaError | None = None
    """Why there is no answer."""
    reply: CaptionReply | None = None

    @property
    def may_improve(self) -> bool:
        """Whether asking again has a sense: not for what cannot be asked, and the engine has tried on its own."""
        return self.outcome is not CaptionOutcome.success and self.error is None


def judge(answer: Answer, config: ChecksConfig) -> Verdict:
    """Read an answer in the structured form, and check it.

    Args:
        answer: What came back.
        config: What a caption must be.
    """
    if lost := _lost(answer):
        return lost
    assert isinstance(answer, CaptionReply)
    try:
        caption = read_structured(answer.text)
    except ValueError:
        # What was written is kept for people to see, and for no training.
        kept = {CaptionKind.structured: clean_text(answer.text)[:MAX_CHARACTERS]}
        if answer.finish == "length":
            return Verdict(CaptionOutcome.truncated, kept, ("truncated",), reply=answer)
        return Verdict(CaptionOutcome.refused, kept, ("no_json",), reply=answer)
    texts = render(caption)
    found = tuple(flags(texts[CaptionKind.dense], config))
    return Verdict(CaptionOutcome.refused if found else CaptionOutcome.success, texts, found, reply=answer)


def judge_text(answer: Answer, config: ChecksConfig) -> Verdict:
    """Check an answer in plain sentences; its text is of the kind `dense`.

    Args:
        answer: What came back.
        config: What a caption must be.
    """
    if lost := _lost(answer):
        return lost
    assert isinstance(answer, CaptionReply)
    text = clean_text(answer.text)
    texts = {CaptionKind.dense: text[:MAX_CHARACTERS]}
    if answer.finish == "length":
        return Verdict(CaptionOutcome.truncated, texts, ("truncated",), reply=answer)
    found = ("too_long",) if len(text) > MAX_CHARACTERS else tuple(flags(text, config))
    return Verdict(CaptionOutcome.refused if found else CaptionOutcome.success, texts, found, reply=answer)


def _lost(answer: Answer) -> Verdict | None:
    """Where there is no text at all."""
    if isinstance(answer, MediaError):
        return Verdict(CaptionOutcome.error, flags=("frames",), error=answer)
    if answer.finish == "error":
        error = MediaError(ErrorKind.engine, answer.error)
        return Verdict(CaptionOutcome.error, flags=("engine",), error=error, reply=answer)
    return None
