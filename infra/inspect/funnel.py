"""How much of the footage reaches each step, and what is lost between two of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import duckdb

from infra.inspect.labels import Judgement, told_share
from infra.inspect.text import aligned, count, hours, share

_FILES = """
SELECT outcome, coalesce(error_kind, ''), count(*) FROM files GROUP BY ALL ORDER BY 1, 3 DESC, 2
"""
# What the scan counted comes before what the container claims.
_SOURCES = """
WITH ok AS (
    SELECT video_id, count(*) AS num_files,
        any_value(CASE WHEN json_valid(probe) THEN (probe ->> '$.duration_s')::DOUBLE END) AS claimed_s
    FROM files WHERE outcome = 'ok' AND video_id IS NOT NULL GROUP BY video_id
), scans AS (
    SELECT input_id, any_value(outcome) AS outcome, any_value(error_kind) AS error_kind
    FROM ledger WHERE stage = 'scan' GROUP BY input_id
)
SELECT
    coalesce(scans.outcome, 'missing') AS outcome, coalesce(scans.error_kind, '') AS error_kind,
    count(*), coalesce(sum(num_files), 0)::BIGINT,
    coalesce(sum(coalesce(videos.duration_s, claimed_s, 0)), 0),
    coalesce(sum(num_files * coalesce(videos.duration_s, claimed_s, 0)), 0)
FROM ok LEFT JOIN videos USING (video_id) LEFT JOIN scans ON scans.input_id = ok.video_id
GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2
"""
_SHOTS = """
SELECT count(*), coalesce(sum((end_pts - start_pts) * time_base_num / time_base_den), 0) FROM shots
"""
# The first clip of each shot is the one that was not split off: counted so, no two large tables need be joined.
_CLIPS = """
SELECT count(*), coalesce(sum(end_s - start_s), 0), count(*) FILTER (transition_in IS DISTINCT FROM 'split') FROM clips
"""
_REASONS = """
SELECT coalesce(reason, 'unknown'), count(*), coalesce(sum(duration_s), 0)
FROM selection WHERE NOT kept GROUP BY 1 ORDER BY 2 DESC, 1
"""
_KEPT = "SELECT count(*), coalesce(sum(duration_s), 0) FROM selection WHERE kept"
_BUCKETS = "SELECT count(*) FROM buckets"
_MAX_REASON = 60
"""Characters of a reason on a terminal."""
_NOTICEABLE_S = 0.05
"""Shorter remainders are what is left of rounding to ticks."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What does not reach the next step, for one reason."""

    reason: str
    count: int | None
    """How many of the step's items; None where it is only footage."""
    seconds: float | None
    """None where the length is not known, as of a file that cannot be read."""
    judged: Judgement | None = None
    """What reviewers say of the rule that drops these clips; None without a label of any of them."""


@dataclass(frozen=True, slots=True)
class Step:
    """What reaches one step, and what is lost after it."""

    name: str
    count: int
    seconds: float | None
    share: float | None
    """Of the seconds of all distinct readable videos, 0 to 1."""
    losses: tuple[Loss, ...]


def funnel(db: duckdb.DuckDBPyConnection, judgements: Mapping[str, Judgement] | None = None) -> list[Step]:
    """The steps from the files met to the clips, and to those that a selection keeps and that have a bucket.

    Args:
        db: From `infra.inspect.sql.open_views`.
        judgements: From `infra.inspect.labels.judgements`: each rule against the reviewers' labels.
    """
    outcomes = db.execute(_FILES).fetchall()
    sources = db.execute(_SOURCES).fetchall()
    shots, shots_s = _only(db.execute(_SHOTS).fetchall())
    clips, clips_s, used = _only(db.execute(_CLIPS).fetchall())
    videos, readable = sum(row[2] for row in sources), sum(row[3] for row in sources)
    videos_s, readable_s = sum(row[4] for row in sources), sum(row[5] for row in sources)
    failed = [row for row in sources if row[0] in ("error", "missing")]
    scanned, scanned_s = videos - sum(row[2] for row in failed), videos_s - sum(row[4] for row in failed)
    copies = Loss("copies of another file", readable - videos, readable_s - videos_s)
    transitions = Loss("inside transitions, or blank at an edge", None, scanned_s - shots_s)
    remainder = Loss("in such shots, or left over beside the clips of others", None, shots_s - clips_s)

    def step(name: str, number: int, seconds: float | None, losses: Iterable[Loss]) -> Step:
        of_videos = seconds / videos_s if seconds is not None and videos_s else None
        return Step(name, number, seconds, of_videos, tuple(filter(_matters, losses)))

    return [
        step(
            "files met",
            sum(row[2] for row in outcomes),
            None,
            [Loss(_why(row[0], row[1]), row[2], None) for row in outcomes if row[0] != "ok"],
        ),
        # More than all distinct videos, so no share of them.
        replace(step("readable videos", readable, readable_s, [copies]), share=None),
        step(
            "distinct videos",
            videos,
            videos_s,
            [Loss(_why(row[0], row[1]), row[2], row[4]) for row in failed],
        ),
        step("scanned videos", scanned, scanned_s, [transitions]),
        step("shots", shots, shots_s, [Loss("shots without a clip: too short", shots - used, None), remainder]),
        *_chosen(db, step("clips", clips, clips_s, []), step, judgements or {}),
    ]


def _chosen(
    db: duckdb.DuckDBPyConnection, clips: Step, step: Callable[..., Step], judgements: Mapping[str, Judgement]
) -> list[Step]:
    """The clips, with the reasons for which a selection drops some; those it keeps, and those that have a bucket."""
    reasons = [Loss(why, lost, lost_s, judgements.get(why)) for why, lost, lost_s in db.execute(_REASONS).fetchall()]
    kept, kept_s = _only(db.execute(_KEPT).fetchall())
    (placed,) = _only(db.execute(_BUCKETS).fetchall())
    if not kept and not reasons:
        return [clips]
    undecided = clips.count - kept - sum(loss.count or 0 for loss in reasons)
    steps = [
        step("clips", clips.count, clips.seconds, [*reasons, Loss("not selected yet", undecided, None)]),
        step("kept clips", kept, kept_s, [Loss("without a bucket yet", kept - placed, None)] if placed else []),
    ]
    return [*steps, step("bucketed clips", placed, kept_s if placed == kept else None, [])] if placed else steps


def funnel_json(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """The steps as JSON objects."""
    told = [asdict(step) for step in steps]
    for shown, step in zip(told, steps, strict=True):
        for lost, loss in zip(shown["losses"], step.losses, strict=True):
            lost["judged"] = None if loss.judged is None else loss.judged.to_json()
    return told


def funnel_text(steps: Iterable[Step], overall: Judgement | None = None) -> str:
    """The steps as an aligned table, what is lost indented below the step that loses it.

    Args:
        steps: From `funnel`.
        overall: All rules together against the labels; with it, each reason has its precision and its recall.
    """
    rows = []
    for step in steps:
        rows.append((step.name, count(step.count), hours(step.seconds), share(step.share), "", ""))
        rows += [
            (
                f"  - {loss.reason[:_MAX_REASON]}",
                *(count(loss.count), hours(loss.seconds), share(share_lost(step, loss))),
                *_judged(loss.judged),
            )
            for loss in step.losses
        ]
    head: tuple[str, ...] = ("", "count", "footage", "share", "precision", "recall")
    if overall is None:
        return aligned(head[:4], [row[:4] for row in rows], right=(1, 2, 3))
    rows.append(("all reasons", "", "", "", *_judged(overall)))
    table = aligned(head, rows, right=(1, 2, 3, 4, 5))
    return f"{table}\n\n{overall.sentence}"


def _judged(found: Judgement | None) -> tuple[str, str]:
    if found is None:
        return "", ""
    dropped = found.num_bad_dropped + found.num_good_dropped
    return told_share(found.num_bad_dropped, dropped), told_share(found.num_bad_dropped, found.num_bad)


def share_lost(step: Step, loss: Loss) -> float | None:
    """The part of the step's footage that a loss is; of its items where the footage is not known."""
    if loss.seconds is not None and step.seconds:
        return loss.seconds / step.seconds
    return loss.count / step.count if loss.count is not None and step.count else None


def _matters(loss: Loss) -> bool:
    return bool(loss.count) if loss.count is not None else (loss.seconds or 0.0) > _NOTICEABLE_S


def _why(outcome: str, kind: str) -> str:
    return {"missing": "not scanned yet"}.get(outcome, f"{outcome}: {kind}" if kind else outcome)


def _only(rows: list[Any]) -> Any:
    assert len(rows) == 1
    return rows[0]
