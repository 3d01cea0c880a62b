"""Which clips a page shows and why: kept, dropped for each reason, at the border of each rule, duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest

import duckdb

from infra.inspect.rules import OPPOSITE, Limit, Rule
from infra.inspect.sql import score_columns, score_tables
from pipeline.views import view_name

_MAX_REASONS = 30
_MAX_BORDERS = 30
_NEAREST = 400
"""Clips on one side of a limit among which those are looked for that the rules before it let pass."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A clip with the number that put it where it is."""

    clip_id: str
    value: float | None
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Dropped:
    """Clips that were dropped for one reason."""

    reason: str
    count: int
    clips: tuple[Shown, ...]
    """An even draw."""

    @property
    def limits(self) -> list[float]:
        """The limits that its clips are beyond; several where a rule has more than one."""
        return sorted({some.limit for some in self.clips if some.limit is not None})


@dataclass(frozen=True, slots=True)
class Border:
    """Clips nearest to one limit of a rule."""

    rule: str
    column: str
    op: str
    limit: float
    inside: tuple[Shown, ...]
    """Just kept, the nearest first."""
    outside: tuple[Shown, ...]
    """Just dropped, the nearest first."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A duplicate and the clip that stays."""

    clip_id: str
    duplicate_of: str
    method: str
    similarity: float | None
    offset_s: float | None


def kept(db: duckdb.DuckDBPyConnection, *, number: int) -> tuple[str, ...] | None:
    """Kept clips, drawn evenly; None where nothing was selected yet."""
    if not db.execute("SELECT count(*) FROM (FROM selection LIMIT 1)").fetchall()[0][0]:
        return None
    rows = db.execute("SELECT clip_id FROM selection WHERE kept ORDER BY clip_id LIMIT $1", [number]).fetchall()
    return tuple(row[0] for row in rows)


def dropped(db: duckdb.DuckDBPyConnection, *, number: int) -> list[Dropped]:
    """Each reason with a few of its clips, the most frequent first. Ids are hashes: the lowest are an even draw."""
    rows = db.execute(
        f"""SELECT coalesce(reason, 'unknown') AS why, count(*),
            arg_min({{'clip_id': clip_id, 'score_value': score_value, 'threshold': threshold}}, clip_id, {number})
        FROM selection WHERE NOT kept GROUP BY why ORDER BY 2 DESC, 1 LIMIT {_MAX_REASONS}"""
    ).fetchall()
    keys = ("clip_id", "score_value", "threshold")
    return [Dropped(why, count, tuple(Shown(*(some[key] for key in keys)) for some in few)) for why, count, few in rows]


def borders(db: duckdb.DuckDBPyConnection, rules: Sequence[Rule], *, number: int) -> list[Border]:
    """For each limit the clips that are nearest to it, on both sides; `draw_sample` comes first."""
    views = _views_by_column(db)
    limits = [(rule, limit) for rule in rules for limit in rule.limits if limit.column in views][:_MAX_BORDERS]
    near = [[_near(db, views[limit.column], limit, op) for op in (limit.op, OPPOSITE[limit.op])] for _, limit in limits]
    verdicts = _verdicts(db, {clip_id for sides in near for side in sides for clip_id, _ in side})

    def chosen(side: Sequence[tuple[str, float]], limit: Limit, reason: str | None) -> tuple[Shown, ...]:
        # Where nothing was selected yet, simply the nearest.
        fitting = (some for some in side if verdicts.get(some[0], (reason,)) == (reason,))
        return tuple(Shown(clip_id, value, limit.value) for clip_id, value in islice(fitting, number))

    return [
        Border(
            rule.name, limit.column, limit.op, limit.value, chosen(kept, limit, None), chosen(lost, limit, rule.name)
        )
        for (rule, limit), (kept, lost) in zip(limits, near, strict=True)
    ]


def nearest_to(db: duckdb.DuckDBPyConnection, rule: Rule, *, number: int) -> list[str]:
    """Clips nearest to a rule's limits, at most so many, both sides in turn; `draw_sample` comes first."""
    sides = [side for border in borders(db, [rule], number=number) for side in (border.outside, border.inside)]
    turns = (some.clip_id for turn in zip_longest(*sides) for some in turn if some is not None)
    return list(dict.fromkeys(turns))[:number]


def _views_by_column(db: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Where each number of a clip stands; what is no score is known of the clips of the page's sample."""
    views = {column.name: "sampled" for column in score_columns(db, "sampled") if column.is_number}
    for table in score_tables():
        view = view_name(table)
        views |= {column.name: view for column in score_columns(db, view) if column.is_number}
    return views


def pairs(db: duckdb.DuckDBPyConnection, *, number: int) -> list[Pair]:
    """A few duplicates of each method whose both clips exist: half the least alike, half drawn evenly."""
    pair = "{'a': d.clip_id, 'b': duplicate_of, 'm': coalesce(method, 'unknown'), 's': similarity, 'o': offset_s}"
    doubtful = "{'s': coalesce(similarity, 1.0), 'c': d.clip_id}"
    rows = db.execute(
        f"""SELECT unnest(list_concat(arg_min({pair}, {doubtful}, {number // 2}), arg_min({pair}, d.clip_id, {number})))
        FROM duplicates AS d
        SEMI JOIN clips ON clips.clip_id = d.clip_id SEMI JOIN clips AS stays ON stays.clip_id = duplicate_of
        GROUP BY method"""
    ).fetchall()
    by_method: dict[str, dict[str, Pair]] = {}
    for row in rows:
        found = Pair(*(row[0][key] for key in "abmso"))
        few = by_method.setdefault(found.method, {})
        if len(few) < number:
            few.setdefault(found.clip_id, found)
    return [
        found
        for _, few in sorted(by_method.items())
        for found in sorted(few.values(), key=lambda found: (found.similarity or 0.0, found.clip_id))
    ]


def _near(db: duckdb.DuckDBPyConnection, view: str, limit: Limit, op: str) -> list[tuple[str, float]]:
    """Clips on one side of a limit with their values, the nearest first."""
    order = "ASC" if op.startswith(">") else "DESC"
    return db.execute(
        f"""SELECT clip_id, "{limit.column}"::DOUBLE AS x FROM {view} WHERE "{limit.column}" {op} {limit.value!r}
        ORDER BY x {order}, clip_id LIMIT {_NEAREST}"""
    ).fetchall()


def _verdicts(db: duckdb.DuckDBPyConnection, clip_ids: Iterable[str]) -> dict[str, tuple[str | None]]:
    """Why each clip was dropped, None where it was kept; without those not selected yet."""
    rows = db.execute(
        "SELECT clip_id, CASE WHEN NOT kept THEN coalesce(reason, '') END FROM selection "
        "WHERE kept IS NOT NULL AND clip_id IN (SELECT unnest($1))",
        [list(clip_ids)],
    ).fetchall()
    return {clip_id: (reason,) for clip_id, reason in rows}
