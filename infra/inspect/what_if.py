"""What other rules would change: what is dropped or kept anew, for which reasons, and the clips at the border."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import duckdb

from infra.inspect.text import aligned, count, hours, number
from pipeline.dataset import Dataset
from pipeline.selection.predicate import Comparison
from pipeline.selection.rules import Rule, columns_of, reasons, replaced, verdict
from pipeline.selection.wide import open_wide
from pipeline.stages.select import SelectConfig
from schemas import ConfigError
from schemas.tables import WIDE_COLUMNS

TRIED = "what_if"
"""What a rule is called that is given without a name."""
_NAMED = re.compile(r"\s*([a-z][a-z0-9_]*)\s*=(?![=])\s*(.*\S)\s*", re.DOTALL)
_NUM_BORDER = 5
"""Clips shown on each side of a limit."""


@dataclass(frozen=True, slots=True)
class Change:
    """Clips whose verdict goes from one to another; None is kept."""

    before: str | None
    after: str | None
    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class BorderClip:
    """A clip close to the limit of a rule that is tried."""

    rule: str
    clip_id: str
    video_id: str
    value: float
    limit: float
    holds: bool
    """Whether it is on the side that the rule keeps."""


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What would change."""

    rules: tuple[tuple[str, str], ...]
    """The rules that are tried: name and predicate."""
    changes: tuple[Change, ...]
    """Every pair of verdicts that occurs, changed or not, the most frequent first."""
    border: tuple[BorderClip, ...]
    from_wide: bool
    """Whether the kept table was read; else the tables were joined."""

    def total(self, *, kept_before: bool, kept_after: bool) -> tuple[int, float]:
        """How many clips and seconds go from one side to the other."""
        chosen = [
            change
            for change in self.changes
            if (change.before is None) == kept_before and (change.after is None) == kept_after
        ]
        return sum(change.count for change in chosen), sum(change.seconds for change in chosen)

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        names = {"newly_dropped": (True, False), "newly_kept": (False, True), "still_kept": (True, True)}
        sides = {name: self.total(kept_before=before, kept_after=after) for name, (before, after) in names.items()}
        return {
            "rules": [{"name": name, "keep": keep} for name, keep in self.rules],
            **{name: {"clips": clips, "seconds": seconds} for name, (clips, seconds) in sides.items()},
            "changes": [asdict(change) for change in self.changes if change.before != change.after],
            "reasons": [
                {"reason": reason, "before": before, "after": after} for reason, before, after in self.reasons()
            ],
            "border": [asdict(clip) for clip in self.border],
            "from_wide": self.from_wide,
        }

    def reasons(self) -> list[tuple[str, int, int]]:
        """Each reason, and how many clips it drops before and after."""
        told = dict.fromkeys(
            name for change in self.changes for name in (change.before, change.after) if name is not None
        )
        return [
            (
                name,
                sum(change.count for change in self.changes if change.before == name),
                sum(change.count for change in self.changes if change.after == name),
            )
            for name in told
        ]


def what_if(dataset: Dataset, tried: Sequence[str]) -> WhatIf:
    """Try rules in the place of those that the dataset was made with.

    Args:
        dataset: Its `dataset.yaml` says which rules those are.
        tried: Each a predicate, which is added at the end, or `NAME=PREDICATE`, which takes the place of the rule of
            that name or is added.

    Raises:
        ConfigError: A predicate is wrong, or cannot be evaluated.
    """
    before = current_rules(dataset)
    after, new = before, []
    for text in tried:
        rule = _tried_rule(text, {rule.name for rule in after})
        new.append(rule)
        after = replaced(after, rule)
    columns = list(dict.fromkeys(["duration_s", *columns_of([*before, *after])]))
    with open_wide(dataset.manifest, columns) as wide:
        try:
            return WhatIf(
                tuple((rule.name, rule.keep) for rule in new),
                _changes(wide.db, before, after),
                tuple(_border(wide.db, new)),
                wide.is_kept,
            )
        except duckdb.Error as error:
            raise ConfigError(f"--what-if: {' '.join(str(error).partition(chr(10))[0].split())}") from error


def current_rules(dataset: Dataset) -> tuple[Rule, ...]:
    """The rules in the config that a dataset was made with; the default ones where it names none."""
    described = dataset.describe().get("config") or {}
    section = described.get("select") if isinstance(described, dict) else None
    return SelectConfig.model_validate(section or {}).all_rules()


def _tried_rule(text: str, names: Iterable[str]) -> Rule:
    """The rule that an argument stands for."""
    named = _NAMED.fullmatch(text)
    # `is_image=true` compares a column; `blurred=sharpness >= 4` and any other name is that of a rule.
    if named is not None and (named[1] in names or named[1] not in {column.name for column in WIDE_COLUMNS}):
        return _read(named[1], named[2])
    return _read(TRIED, text)


def _read(name: str, keep: str) -> Rule:
    try:
        return Rule.read(name, keep)
    except ConfigError as error:
        raise ConfigError(f"--what-if: {error}") from error


def _changes(db: duckdb.DuckDBPyConnection, before: Sequence[Rule], after: Sequence[Rule]) -> tuple[Change, ...]:
    """Both verdicts of every clip, in one pass; what the first rules decide, if they are the same, is asked once."""
    shared = next((k for k, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), None)
    shared = min(len(before), len(after)) if shared is None else shared
    later = columns_of([*before[shared:], *after[shared:]])
    asked = "".join(f', "{column}"' for column in later if column != "duration_s")

    def number(rules: Sequence[Rule]) -> str:
        return f"CASE WHEN number > 0 THEN number ELSE {verdict(rules[shared:], shared + 1)} END"

    rows = db.execute(
        f"""
        SELECT {number(before)} AS old_number, {number(after)} AS new_number,
            count(*) AS clips, coalesce(sum(duration_s), 0) AS seconds
        FROM (SELECT {verdict(before[:shared])} AS number, duration_s{asked} FROM wide)
        GROUP BY ALL ORDER BY clips DESC, old_number, new_number
        """
    ).fetchall()
    old, new = reasons(before), reasons(after)
    return tuple(Change(old.get(was), new.get(now), clips, seconds) for was, now, clips, seconds in rows)


def _border(db: duckdb.DuckDBPyConnection, rules: Sequence[Rule]) -> list[BorderClip]:
    """The clips nearest to each limit of some rules, on both sides.

    First how far away the fifth one is, of numbers alone; then the clips that are no farther: to sort ten million ids
    takes seconds.
    """
    limits = [(rule, comparison) for rule in rules for comparison in rule.predicate.comparisons]
    if not limits:
        return []
    sides = [_distance(comparison, holds) for _, comparison in limits for holds in (True, False)]
    nearest = db.execute(f"SELECT {', '.join(sides)} FROM wide").fetchall()[0]
    found: list[BorderClip] = []
    for place, (rule, comparison) in enumerate(limits):
        limit = comparison.threshold
        radius = [max(side or (-1.0,)) for side in nearest[2 * place : 2 * place + 2]]
        reach = math.nextafter(max(radius), math.inf)
        if reach < 0:
            continue
        rows = db.execute(
            f"""
            SELECT clip_id, video_id, ({comparison.value})::DOUBLE AS shown, {comparison.sql} AS holds FROM wide
            WHERE {comparison.value} BETWEEN {limit - reach!r} AND {limit + reach!r}
            ORDER BY abs(shown - {limit!r}), clip_id
            """
        ).fetchall()
        for holds in (True, False):
            mine = [BorderClip(rule.name, row[0], row[1], row[2], limit, holds) for row in rows if row[3] is holds][
                :_NUM_BORDER
            ]
            found += reversed(mine) if holds else mine
    return found


def _distance(comparison: Comparison, holds: bool) -> str:
    """SQL of how far from a limit the nearest clips of one side are."""
    away = f"abs(({comparison.value})::DOUBLE - {comparison.threshold!r})"
    return f"min({away}, {_NUM_BORDER}) FILTER (({comparison.sql}) IS {holds})"


def what_if_text(found: WhatIf) -> str:
    """What would change, for a terminal."""
    blocks = [aligned(("", ""), [(f"rule {name}", keep) for name, keep in found.rules])]
    if not found.from_wide:
        blocks.append("The wide table is older than the scores, so they were joined; `rushes run` makes it anew.")
    sides = (("newly dropped", True, False), ("newly kept", False, True), ("kept as before", True, True))
    totals = [(name, *found.total(kept_before=before, kept_after=after)) for name, before, after in sides]
    blocks.append(
        aligned(("", "clips", "footage"), [(name, count(n), hours(s)) for name, n, s in totals], right=(1, 2))
    )
    changed = [change for change in found.changes if change.before != change.after]
    if changed:
        rows = [(c.before or "kept", c.after or "kept", count(c.count), hours(c.seconds)) for c in changed]
        blocks.append(aligned(("before", "after", "clips", "footage"), rows, right=(2, 3)))
    by_reason = [(reason, count(before), count(after)) for reason, before, after in found.reasons()]
    if by_reason:
        blocks.append(aligned(("dropped by", "before", "after"), by_reason, right=(1, 2)))
    if found.border:
        nearest = [
            (c.rule, c.clip_id, number(c.value), number(c.limit), "holds" if c.holds else "fails") for c in found.border
        ]
        blocks.append(aligned(("at the border", "clip", "value", "limit", ""), nearest, right=(2, 3)))
    return "\n\n".join(blocks)
