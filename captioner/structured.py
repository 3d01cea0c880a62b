"""The structured caption: what the model writes field by field, and the sentences that are made of it."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.caption import CAMERA_MOTIONS, CaptionKind

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+")
"""Control characters, those that turn the direction of writing, and halves of characters, which no table can hold."""

Text = Annotated[str, Field(max_length=400)]
Motion = Literal[CAMERA_MOTIONS]  # type: ignore[valid-type]


class StructuredCaption(BaseModel):
    """A clip, field by field."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    subject: Annotated[str, Field(min_length=1, max_length=200)]
    """Who or what it is about, with how many."""
    attributes: Annotated[list[Annotated[str, Field(min_length=1, max_length=80)]], Field(max_length=12)]
    """What can be seen of them."""
    action: Annotated[str, Field(min_length=1, max_length=400)]
    setting: Text
    camera: Motion
    lighting: Annotated[str, Field(max_length=200)]
    style: Annotated[str, Field(max_length=120)]
    text: Annotated[str, Field(max_length=300)]
    """Words in the picture; empty where there are none."""


SCHEMA: dict[str, Any] = StructuredCaption.model_json_schema()
"""What an engine is told to keep to."""


def read_structured(answer: str) -> StructuredCaption:
    """The caption that an answer holds.

    Control characters go; nothing else is repaired.

    Raises:
        ValueError: It is no JSON, or not of this form; the message says what is wrong.
    """
    try:
        value = _plain(json.loads(answer))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no JSON: {error}") from error
    try:
        return StructuredCaption.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the answer"
        raise ValueError(f"{where}: {first['msg']}") from error


def render(caption: StructuredCaption) -> dict[CaptionKind, str]:
    """The texts of a caption by kind, all from the one that the model wrote, so that they cannot disagree."""
    return {
        CaptionKind.structured: json.dumps(caption.model_dump(), ensure_ascii=False),
        CaptionKind.dense: dense(caption),
        CaptionKind.short: sentence(f"{caption.subject} {_begun(caption.action)}"),
        CaptionKind.camera: camera_sentence(caption.camera),
    }


def dense(caption: StructuredCaption) -> str:
    """All fields in sentences."""
    parts = [f"{caption.subject} {_begun(caption.action)}"]
    parts += [", ".join(caption.attributes)] if caption.attributes else []
    parts += [caption.setting, caption.lighting, camera_sentence(caption.camera), caption.style]
    parts += [f'The text reads: "{caption.text}"'] if caption.text else []
    return " ".join(sentence(part) for part in parts if part.strip())


_CAMERA = {
    "static": "The camera does not move",
    "orbit": "The camera orbits around the scene",
    "handheld": "The camera is handheld and shakes",
    **{f"pan {side}": f"The camera pans {side}" for side in ("left", "right")},
    **{f"tilt {way}": f"The camera tilts {way}" for way in ("up", "down")},
    **{f"zoom {way}": f"The camera zooms {way}" for way in ("in", "out")},
    **{f"dolly {way}": f"The camera dollies {way}" for way in ("in", "out")},
    **{f"truck {side}": f"The camera trucks {side}" for side in ("left", "right")},
    **{f"pedestal {way}": f"The camera pedestals {way}" for way in ("up", "down")},
}


def camera_sentence(motion: str) -> str:
    """A sentence of one of `CAMERA_MOTIONS`."""
    return f"{_CAMERA[motion]}."


def sentence(text: str) -> str:
    """A text that begins large and ends with a stop."""
    text = " ".join(text.split())
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "!", "?", '."', '?"', '!"')) else ".")


def clean_text(text: str) -> str:
    """A text of one line, without control characters and marks that turn the direction of writing."""
    return " ".join(_CONTROL.sub(" ", text).split())


def _begun(action: str) -> str:
    """An action as the middle of a sentence."""
    return f"{action[:1].lower()}{action[1:]}" if action[1:2].islower() or action[1:2] == " " else action


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return {key: _plain(one) for key, one in value.items()} if isinstance(value, dict) else value
