"""The policy file: what may be asked for, and what may come out."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Self

from pydantic import Field, field_validator, model_validator

from captioner.config import EngineConfig
from pipeline.scorers.embedding import EmbeddingConfig
from pipeline.scorers.safety import SafetyConfig
from schemas import Config


class Category(StrEnum):
    """What is refused; the first that applies is named."""

    minors = "minors"
    hate = "hate"
    sexual = "sexual"
    violence = "violence"
    people = "people"
    other = "other"
    """No rule's: a blocklist's, or a judge's that says nothing clear."""


TITLES = {
    Category.minors: "sexual content with minors",
    Category.hate: "hate",
    Category.sexual: "sexual content",
    Category.violence: "violence",
    Category.people: "living people",
    Category.other: "another reason",
}
"""For sentences."""
_MAX_PATTERN = 200


class GroupConfig(Config):
    """Words that mean the same to a rule."""

    terms: tuple[str, ...] = ()
    """Words and phrases, in any inflection and spelling; `=word` for this form alone, `word*` for all that begin so,
    `...` for up to three words between."""
    patterns: tuple[str, ...] = ()
    """Regular expressions over the plain prompt in lower case."""

    @field_validator("patterns")
    @classmethod
    def _compiles(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            if len(pattern) > _MAX_PATTERN:
                raise ValueError(f"a pattern has at most {_MAX_PATTERN} characters, got {len(pattern)}")
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
        return patterns


class RuleConfig(Config):
    """Refuses a prompt that has a word of each of its groups."""

    name: str
    """Told to the user."""
    all: tuple[str, ...] = Field(min_length=1)
    """Names of groups."""
    within: int | None = Field(None, ge=1)
    """Words between the first and the last of them, at most; anywhere in the prompt without it."""
    is_ordered: bool = False
    """Whether they come in the order of the groups: `kills the man` and not `the man kills`."""
    unless: tuple[str, ...] = ()
    """Names of groups of which a word anywhere lets the prompt pass this rule."""


class JudgeConfig(Config):
    """A language model that reads what the words let pass."""

    engine: EngineConfig = EngineConfig()
    """Without a model there is no judge."""
    prompt: str | None = None
    """A text file with a place `{prompt}`; ours without it."""


class PicturesConfig(Config):
    """What generated frames are checked for; with neither detector nor blocklist, they are not."""

    safety: SafetyConfig = SafetyConfig()
    embedding: EmbeddingConfig = EmbeddingConfig()
    """The model of the blocklist."""
    max_nudity: float = Field(0.5, ge=0, le=1)
    """A frame with more is refused."""
    max_similarity: float = Field(0.9, ge=-1, le=1)
    """A frame nearer to one of the blocklist is refused."""
    frames_a_second: float = Field(1.0, gt=0)
    """Of a video so many are looked at."""


class PolicyConfig(Config):
    """What is refused."""

    people: str | None = None
    """A text file with a name a line, relative to this one; names of living people, in any spelling."""
    groups: dict[str, GroupConfig] = Field(default_factory=dict)
    rules: dict[Category, tuple[RuleConfig, ...]] = Field(default_factory=dict)
    harmless: tuple[str, ...] = ()
    """Phrases whose words count for no rule, as in `killer whale`."""
    judge: JudgeConfig = JudgeConfig()
    pictures: PicturesConfig = PicturesConfig()

    @model_validator(mode="after")
    def _groups_are_there(self) -> Self:
        for category, rules in self.rules.items():
            for rule in rules:
                for name in (*rule.all, *rule.unless):
                    if name not in self.groups:
                        raise ValueError(
                            f"rules.{category}: {rule.name!r} names the group {name!r}, which is not there"
                        )
        return self
