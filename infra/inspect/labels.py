"""How right the rules are, measured against what reviewers say.

A rule says "bad" of the clips that it drops, so for each rule, over the clips that have a label:

- precision: of the clips that it drops, the share that reviewers call bad;
- recall: of all the clips that reviewers call bad, the share that it drops.

A clip is dropped by the first rule that it fails, and counts for that one alone; so the recalls of all rules
add up to that of the whole selection. A clip that several reviewers label is what most of them say, and is left
out where they are even.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import duckdb

from infra.inspect.text import share


@dataclass(frozen=True, slots=True)
class Judgement:
    """One rule, or the whole selection, against the labels."""

    rule: str
    """The reason it records; empty for all rules together."""
    num_bad_dropped: int
    """Dropped, and labelled bad: right."""
    num_good_dropped: int
    """Dropped, and labelled good: wrong."""
    num_bad: int
    """Labelled bad, dropped or not."""

    @property
    def precision(self) -> float | None:
        """Share of the labelled clips it drops that are bad; None without any."""
        dropped = self.num_bad_dropped + self.num_good_dropped
        return self.num_bad_dropped / dropped if dropped else None

    @property
    def recall(self) -> float | None:
        """Share of the bad clips that it drops; None without any."""
        return self.num_bad_dropped / self.num_bad if self.num_bad else None

    @property
    def sentence(self) -> str:
        """What its two numbers say, for those who read them."""
        clips = f"{self.num_bad:,} clip{'s' if self.num_bad != 1 else ''}"
        return (
            "precision: of the labelled clips that a rule drops, the share that reviewers call bad; "
            f"recall: of all {clips} that they call bad, the share that it drops"
        )

    def to_json(self) -> dict[str, Any]:
        """The judgement as a JSON object."""
        return asdict(self) | {"precision": self.precision, "recall": self.recall}


def told_share(part: int, whole: int) -> str:
    """A share with the two counts that it comes of; empty of nothing."""
    return f"{share(part / whole)} ({part:,}/{whole:,})" if whole else ""


def verdicts(labels: Iterable[tuple[str, bool]]) -> dict[str, bool]:
    """Whether each clip is good, as most of its reviewers say; without those on which they are even.

    Args:
        labels: Clip and label, one for each reviewer of the clip.
    """
    balance: dict[str, int] = {}
    for clip_id, good in labels:
        balance[clip_id] = balance.get(clip_id, 0) + (1 if good else -1)
    return {clip_id: votes > 0 for clip_id, votes in balance.items() if votes}


def judge(reasons: Mapping[str, str | None], good: Mapping[str, bool]) -> list[Judgement]:
    """Measure each rule that dropped a labelled clip, and first all of them together.

    Args:
        reasons: Why each clip was dropped, None where it was kept, by clip; clips without a label are ignored.
        good: From `verdicts`; clips that were never selected are ignored.

    Returns:
        The whole selection, then the rules by name.
    """
    labelled = {clip_id: reasons[clip_id] for clip_id in good if clip_id in reasons}
    num_bad = sum(not good[clip_id] for clip_id in labelled)
    rules = sorted({reason for reason in labelled.values() if reason is not None})

    def count(rule: str | None, wanted: bool) -> int:
        return sum(
            good[clip_id] is wanted and reason is not None and rule in (None, reason)
            for clip_id, reason in labelled.items()
        )

    return [
        Judgement(rule or "", count(rule, wanted=False), count(rule, wanted=True), num_bad) for rule in (None, *rules)
    ]


def read_verdicts(db: duckdb.DuckDBPyConnection) -> dict[str, bool]:
    """What reviewers say of each clip, from the table."""
    return verdicts(db.execute("SELECT clip_id, good FROM labels WHERE good IS NOT NULL").fetchall())


def read_reasons(db: duckdb.DuckDBPyConnection, clip_ids: Iterable[str]) -> dict[str, str | None]:
    """Why each of these clips was dropped, None where it was kept; without those not selected yet."""
    rows = db.execute(
        "SELECT clip_id, CASE WHEN NOT kept THEN coalesce(reason, 'unknown') END FROM selection "
        "WHERE kept IS NOT NULL AND clip_id IN (SELECT unnest($1))",
        [list(clip_ids)],
    ).fetchall()
    return dict(rows)


def judgements(db: duckdb.DuckDBPyConnection) -> dict[str, Judgement]:
    """Each rule against the reviewers' labels, all rules together under the empty name; none without labels."""
    good = read_verdicts(db)
    return {found.rule: found for found in judge(read_reasons(db, good), good)} if good else {}
