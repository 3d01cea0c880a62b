"""A language model that reads prompts which the words let pass: it knows what a list of words cannot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from captioner.engine import CaptionEngine, CaptionReply, CaptionRequest, ListFeed
from infra.policy.config import Category, JudgeConfig
from infra.policy.policy import Refusal
from schemas import ConfigError

FOLDER = Path(__file__).parent
ALLOWED = "allowed"
PLACE = "{prompt}"
RULE = "the language model's judgement"
_MAX_TOKENS = 16
_NAMED = tuple(category for category in Category if category is not Category.other)
_SCHEMA = {
    "type": "object",
    "properties": {"verdict": {"enum": [ALLOWED, *(category.value for category in _NAMED)]}},
    "required": ["verdict"],
    "additionalProperties": False,
}


def template_of(config: JudgeConfig) -> str:
    """What the model is asked, with a place for the prompt.

    Raises:
        ConfigError: It cannot be read, or has no place.
    """
    path = FOLDER / "judge.md" if config.prompt is None else Path(config.prompt)
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"policy: judge.prompt: {path}: cannot be read: {error}") from error
    if PLACE not in text:
        raise ConfigError(f"policy: judge.prompt: {path} has no place {PLACE}")
    return text


def ask(prompts: Sequence[str], engine: CaptionEngine, template: str) -> list[Refusal | None]:
    """Have a model judge prompts.

    An answer that is none of the categories counts as a refusal: a prompt may be written so that the model says
    something else.

    Args:
        prompts: In any number.
        engine: A model that is set up; asked at temperature 0.
        template: With a place `{prompt}`.

    Raises:
        ConfigError: The model gives no answer.
    """
    questions = [
        CaptionRequest(
            request_id=f"judge-{number}",
            prompt=template.replace(PLACE, prompt),
            max_tokens=_MAX_TOKENS,
            schema=_SCHEMA,
        )
        for number, prompt in enumerate(prompts)
    ]
    replies = {reply.request_id: reply for reply in engine.generate(ListFeed(list(questions)))}
    return [_refusal(replies[question.request_id]) for question in questions]


def _refusal(reply: CaptionReply) -> Refusal | None:
    if reply.finish == "error":
        raise ConfigError(f"policy: judge: the model gives no answer: {reply.error}")
    said = reply.text.lower()
    named = [category for category in _NAMED if category.value in said]
    if not named and ALLOWED in said:
        return None
    return Refusal(named[0] if named else Category.other, RULE, () if named else ("no clear answer",))
