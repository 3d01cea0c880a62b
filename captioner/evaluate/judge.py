"""A model's opinion on captions: how well each agrees with the reference."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from captioner.engine import CaptionEngine, CaptionRequest, ListFeed
from captioner.prompt import Prompt, find_prompt

_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"score": {"type": "integer", "minimum": 0, "maximum": 10}},
    "required": ["score"],
    "additionalProperties": False,
}
_MAX_TOKENS = 32


def judged(
    references: Mapping[str, str], texts: Mapping[str, str], engine: CaptionEngine, prompt: Prompt | None = None
) -> dict[str, float]:
    """Scores from 0 (about something else) to 1 (says the same) by clip id.

    A clip is left out where the judge's answer holds no score.

    Args:
        references: By clip id.
        texts: Captions by clip id.
        engine: The judge, set up; asked at temperature 0, without pictures.
        prompt: With places `{reference}` and `{caption}`; ours without it.
    """
    template = (prompt or find_prompt("judge")).text
    requests = [
        CaptionRequest(
            request_id=clip_id,
            prompt=_filled(template, references[clip_id], text),
            max_tokens=_MAX_TOKENS,
            schema=_SCHEMA,
        )
        for clip_id, text in texts.items()
        if clip_id in references
    ]
    scores = {reply.request_id: _score(reply.text) for reply in engine.generate(ListFeed(requests))}
    return {clip_id: score for clip_id, score in scores.items() if score is not None}


def _filled(template: str, reference: str, caption: str) -> str:
    """The question; what a caption says is never taken for a place to fill."""
    before, _, after = template.partition("{reference}")
    between, _, end = after.partition("{caption}")
    return f"{before}{reference}{between}{caption}{end}"


def _score(answer: str) -> float | None:
    try:
        score = json.loads(answer)["score"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return score / 10 if isinstance(score, int) and 0 <= score <= 10 else None
