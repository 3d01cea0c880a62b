"""What the page asks the server for: clips by search and by queue, their stories, their pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from infra.inspect.groups import nearest_to
from infra.inspect.labels import judge, read_reasons, verdicts
from infra.inspect.rules import Rule
from infra.inspect.stories import tell_many
from infra.serve.label_book import Label

CLIP_ID = re.compile(r"[0-9a-f]{32}")
"""What a clip's or a video's id looks like."""
_ID_PART = re.compile(r"[0-9a-f]{4,32}")
MAX_QUERY = 200
_FOUND = 48
_QUEUE = 500
_SEARCH = """
SELECT clip_id FROM clips WHERE starts_with(clip_id, $id) OR starts_with(video_id, $id)
    OR video_id IN (SELECT video_id FROM files WHERE contains(lower(uri), $text) OR contains(lower(title), $text))
    OR clip_id IN (SELECT clip_id FROM captions WHERE contains(lower("text"), $text))
    OR clip_id IN (SELECT clip_id FROM selection WHERE contains(lower(reason), $text))
ORDER BY clip_id LIMIT $most
"""
_NO_ID = "-"
"""No id begins so."""


def search(db: duckdb.DuckDBPyConnection, query: str) -> dict[str, Any]:
    """Clips whose or whose video's id begins with the query, or whose file, caption or reason holds it."""
    text = query.strip().lower()[:MAX_QUERY]
    part = text if _ID_PART.fullmatch(text) else _NO_ID
    rows = db.execute(_SEARCH, {"id": part, "text": text, "most": _FOUND + 1}).fetchall() if text else []
    stories = tell_many(db, [row[0] for row in rows[:_FOUND]])
    more = f"More than {_FOUND} clips; these are the first." if len(rows) > _FOUND else ""
    return {
        "stories": list(stories.values()),
        "note": more or f"{len(rows)} clip{'s' if len(rows) != 1 else ''} found.",
    }


def queue(db: duckdb.DuckDBPyConnection, wanted: str, rules: Sequence[Rule]) -> list[str] | None:
    """Clips to be looked at, in order; None for a queue that there is not.

    Args:
        db: From `infra.inspect.sql.open_views`.
        wanted: `all`, `kept`, `dropped`, `reason:REASON`, or `border:K` for both sides of the limits of rule K.
        rules: The dataset's rules.
    """
    kind, _, what = wanted.partition(":")
    if kind == "border":
        rule = rules[int(what)] if re.fullmatch(r"[0-9]{1,4}", what) and int(what) < len(rules) else None
        return None if rule is None else nearest_to(db, rule, number=_QUEUE // 2)
    source = {
        "all": "clips",
        "kept": "selection WHERE kept",
        "dropped": "selection WHERE NOT kept",
        "reason": "selection WHERE NOT kept AND reason = $reason",
    }.get(kind)
    if source is None:
        return None
    values = {"reason": what} if kind == "reason" else {}
    # Ids are hashes of content: their order is an even draw.
    rows = db.execute(f"SELECT clip_id FROM {source} ORDER BY clip_id LIMIT {_QUEUE}", values).fetchall()
    return [row[0] for row in rows]


def video_of(db: duckdb.DuckDBPyConnection, clip_id: str) -> str | None:
    """The video of a clip; None where there is no such clip."""
    rows = db.execute("SELECT video_id FROM clips WHERE clip_id = $1 LIMIT 1", [clip_id]).fetchall()
    return str(rows[0][0]) if rows else None


def labels(db: duckdb.DuckDBPyConnection, pending: Sequence[Label], reviewer: str) -> dict[str, Any]:
    """One reviewer's labels, and what all labels say of the rules; those that are not saved yet included."""
    rows = db.execute("SELECT clip_id, reviewer, good, note FROM labels WHERE good IS NOT NULL").fetchall()
    known: dict[tuple[str, str], tuple[bool | None, str | None]] = {(row[0], row[1]): (row[2], row[3]) for row in rows}
    known.update({label.key: (label.good, label.note) for label in pending})
    good = verdicts((key[0], verdict) for key, (verdict, _) in known.items() if verdict is not None)
    judged = judge(read_reasons(db, good), good) if good else []
    return {"labels": _own(known, reviewer), "judgements": [found.to_json() for found in judged]}


def _own(known: Mapping[tuple[str, str], tuple[bool | None, str | None]], reviewer: str) -> dict[str, Any]:
    return {
        clip_id: {"good": good, "note": note}
        for (clip_id, who), (good, note) in known.items()
        if who == reviewer and good is not None
    }
