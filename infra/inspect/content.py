"""What a report is about: the scores and the clips that it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from infra.inspect import groups
from infra.inspect.histogram import Distribution, measure
from infra.inspect.rules import Rule
from infra.inspect.sql import score_columns, score_doc, score_tables
from infra.inspect.strips import Extremes, extremes, sample
from pipeline.views import view_name

_EXTREMES = 2
"""Strips for each end and for the middle of a score."""
_SAMPLE = 24
_MAX_STRIPS = 240
"""Strips beyond the sample; with more scores than fit, the later ones show their histogram alone."""
_DROPPED = 6
"""Strips for each reason."""
_BORDER = 3
"""Strips for each side of a limit."""
_PAIRS = 8
"""Duplicates of each method."""
SEED = 0
"""Which clips are drawn for the page's sample."""


@dataclass(frozen=True, slots=True)
class ScoreSection:
    """One score on the page."""

    name: str
    scorer: str
    doc: str
    shown: Distribution
    ends: Extremes

    @property
    def anchor(self) -> str:
        """Where links to it lead."""
        return f"score-{self.scorer}-{self.name}"


@dataclass(frozen=True, slots=True)
class Content:
    """What a page is about, before any picture is read."""

    rules: list[Rule]
    sections: list[ScoreSection]
    sample: tuple[str, ...]
    is_selected: bool
    num_kept: int
    dropped: list[groups.Dropped]
    borders: list[groups.Border]
    pairs: list[groups.Pair]

    def measured(self, rule: Rule) -> list[ScoreSection]:
        """The scores on which a rule has a limit."""
        columns = {limit.column for limit in rule.limits}
        return [section for section in self.sections if section.name in columns and section.shown.counts]

    def clip_ids(self) -> list[str]:
        """Every clip that is shown, in the order in which pictures are given out."""
        ids = [*self.sample]
        ids += [some.clip_id for group in self.dropped for some in group.clips]
        ids += [some.clip_id for border in self.borders for some in (*border.inside, *border.outside)]
        ids += [clip_id for pair in self.pairs for clip_id in (pair.duplicate_of, pair.clip_id)]
        ids += [
            clip_id
            for section in self.sections
            for clip_id in (*section.ends.lowest, *section.ends.middle, *section.ends.highest)
        ]
        return list(dict.fromkeys(ids))


def gather(db: duckdb.DuckDBPyConnection, rules: list[Rule]) -> Content:
    """Choose what to show.

    Args:
        db: From `infra.inspect.sql.open_views`, after `infra.inspect.sample.draw_sample`.
        rules: The dataset's rules.
    """
    kept = groups.kept(db, number=_SAMPLE)
    return Content(
        rules=rules,
        sections=_ranked([*score_sections(db), *_measure_sections(db, rules)], rules),
        sample=sample(db, number=_SAMPLE, seed=SEED) if kept is None else kept,
        is_selected=kept is not None,
        num_kept=db.execute("SELECT count(*) FROM selection WHERE kept").fetchall()[0][0],
        dropped=groups.dropped(db, number=_DROPPED),
        borders=groups.borders(db, rules, number=_BORDER),
        pairs=groups.pairs(db, number=_PAIRS),
    )


def score_sections(db: duckdb.DuckDBPyConnection) -> list[ScoreSection]:
    """Every score that is a number, with its spread and the clips at its ends."""
    sections: list[ScoreSection] = []
    for table in score_tables():
        view = view_name(table)
        for column in score_columns(db, view):
            if not column.is_number:
                continue
            shown = measure(db, f'"{column.name}"', view)
            fits = 3 * _EXTREMES * (len(sections) + 1) <= _MAX_STRIPS
            ends = _ends(db, view, column.name, shown) if fits else Extremes()
            scorer = table.removeprefix("scores/")
            sections.append(ScoreSection(column.name, scorer, score_doc(table, column.name), shown, ends))
    return sections


def _ends(db: duckdb.DuckDBPyConnection, view: str, column: str, shown: Distribution) -> Extremes:
    # Where all clips are equal there is nothing to show at its ends.
    number = _EXTREMES if shown.minimum != shown.maximum else 0
    return extremes(db, view, column, shown, number=number)


def _ranked(sections: Sequence[ScoreSection], rules: Sequence[Rule]) -> list[ScoreSection]:
    """First those that a rule has a limit on, in the rules' order; last those without a value."""
    limited = list(dict.fromkeys(limit.column for rule in rules for limit in rule.limits))

    def rank(section: ScoreSection) -> tuple[bool, int]:
        place = limited.index(section.name) if section.name in limited else len(limited)
        return not section.shown.counts, place

    return sorted(sections, key=rank)


def _measure_sections(db: duckdb.DuckDBPyConnection, rules: Sequence[Rule]) -> list[ScoreSection]:
    """What rules ask for beside scores, such as a clip's length: their spread over the clips of the sample."""
    scores = {column.name for table in score_tables() for column in score_columns(db, view_name(table))}
    known = {column.name for column in score_columns(db, "sampled") if column.is_number}
    wanted = dict.fromkeys(limit.column for rule in rules for limit in rule.limits)
    spread = {name: measure(db, f'"{name}"', "sampled") for name in wanted if name in known - scores}
    return [
        ScoreSection(name, "clip", score_doc("wide", name), shown, _ends(db, "sampled", name, shown))
        for name, shown in spread.items()
    ]
