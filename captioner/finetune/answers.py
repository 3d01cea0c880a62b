"""What is to be answered about clips, from a file: captions that people, a stronger model or a renderer wrote.

JSON lines, each an object with

- `clip_id`, or `uri`: the address of a video as the table `files` has it, or its file name alone; then it is true of
  every clip of the video;
- one or more captions by kind: `short`, `dense`, `original` as text, `structured` as an object of the structured
  caption's form;
- `facts`, which only the evaluation reads: phrases that a right caption holds, by attribute
  (`{"camera": ["the camera pans left"]}`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from captioner.structured import clean_text, read_structured, render
from schemas import ConfigError
from schemas.caption import CaptionKind

_WRITTEN = (CaptionKind.short, CaptionKind.dense, CaptionKind.original)
_MAX_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """All that is known of a clip, or of every clip of a video."""

    texts: Mapping[CaptionKind, str]
    facts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answers:
    """Of many clips."""

    by_clip: Mapping[str, Answer]
    by_uri: Mapping[str, Answer]

    def of(self, clip_id: str, uri: str) -> Answer | None:
        """What is known of a clip of the video at a uri; the clip's own goes before the video's."""
        found = self.by_clip.get(clip_id) or self.by_uri.get(uri)
        return found or self.by_uri.get(PurePosixPath(uri).name)


def read_answers(paths: Sequence[str], key: str = "answers") -> Answers:
    """Read such files; where two tell of one clip, the later one counts.

    Args:
        paths: The files.
        key: The config key that names them, for messages.

    Raises:
        ConfigError: It cannot be read, or a line of it is wrong.
    """
    by_clip: dict[str, Answer] = {}
    by_uri: dict[str, Answer] = {}
    for where, value in (line for path in paths for line in _lines(Path(path).expanduser(), key)):
        answer = Answer(_texts(value, where), _facts(value.get("facts", {}), where))
        clip_id, uri = value.get("clip_id"), value.get("uri")
        if isinstance(clip_id, str):
            by_clip[clip_id] = answer
        elif isinstance(uri, str):
            by_uri[uri] = answer
        else:
            raise ConfigError(f"{where}: has neither clip_id nor uri")
    return Answers(by_clip, by_uri)


def _lines(path: Path, key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                where = f"{key}: {path}: line {number}"
                if len(line) > _MAX_LINE:
                    raise ConfigError(f"{where} is longer than {_MAX_LINE} characters")
                if line.strip():
                    value = json.loads(line)
                    if not isinstance(value, dict):
                        raise ConfigError(f"{where} is no JSON object")
                    yield where, value
    except OSError as error:
        raise ConfigError(f"{key}: {path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{key}: {path}: is not JSON lines: {error}") from error


def _texts(value: Mapping[str, Any], where: str) -> dict[CaptionKind, str]:
    texts: dict[CaptionKind, str] = {}
    if CaptionKind.structured in value:
        try:
            caption = read_structured(json.dumps(value[CaptionKind.structured]))
        except ValueError as error:
            raise ConfigError(f"{where}: structured: {error}") from error
        texts |= render(caption)
    for kind in _WRITTEN:
        if kind in value:
            if not isinstance(value[kind], str) or not clean_text(value[kind]):
                raise ConfigError(f"{where}: {kind} is no text")
            texts[kind] = clean_text(value[kind])
    if not texts:
        raise ConfigError(f"{where}: has no caption: give {', '.join(_WRITTEN)} or structured")
    return texts


def _facts(value: Any, where: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: facts is no object")
    facts: dict[str, tuple[str, ...]] = {}
    for attribute, phrases in value.items():
        if not isinstance(phrases, list) or not all(isinstance(one, str) and one.strip() for one in phrases):
            raise ConfigError(f"{where}: facts.{attribute} is no list of phrases")
        facts[attribute] = tuple(phrases)
    return facts
