"""Ordered rules over the wide table, and the SQL that gives every clip its verdict in one pass."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import field_validator

from pipeline.selection.predicate import Predicate, parse_predicate
from schemas import Config, ConfigError, digest

BALANCE = "balance"
"""The reason of a clip that fulfils every rule and is one too many of its kind."""
MISSING = "missing:"
"""What the reason begins with where a rule asks for a score that the clip has not."""
_PLACE = 1000
"""Between the numbers of two rules' verdicts: more than there are columns."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class RuleConfig(Config):
    """One rule of the selection."""

    name: str
    """The reason it records for what it drops."""
    keep: str
    """What a kept clip fulfils: one SQL condition over the columns of the table `wide`, as in `sharpness >= 4`."""

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if not _NAME.fullmatch(name) or name == BALANCE:
            raise ValueError(f"must be small letters, digits and _, and not {BALANCE!r}")
        return name

    @field_validator("keep")
    @classmethod
    def _is_a_predicate(cls, keep: str) -> str:
        try:
            parse_predicate(keep)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return keep


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that has been read."""

    name: str
    keep: str
    """As its author wrote it."""
    predicate: Predicate

    @classmethod
    def read(cls, name: str, keep: str) -> Rule:
        """Read one.

        Raises:
            ConfigError: The predicate is wrong.
        """
        try:
            return cls(name, keep, parse_predicate(keep))
        except ConfigError as error:
            raise ConfigError(f"rule {name!r} ({keep}): {error}") from error


def read_rules(configs: Sequence[RuleConfig]) -> tuple[Rule, ...]:
    """Read rules, in their order."""
    return tuple(Rule.read(config.name, config.keep) for config in configs)


def replaced(rules: Sequence[Rule], new: Rule) -> tuple[Rule, ...]:
    """The rules with one in the place of that of its name; at their end where there is none."""
    if new.name not in {rule.name for rule in rules}:
        return (*rules, new)
    return tuple(new if rule.name == new.name else rule for rule in rules)


def rule_digest(rules: Sequence[Rule]) -> str:
    """A digest of what rules say and of their order."""
    return digest([[rule.name, rule.predicate.sql] for rule in rules])


def columns_of(rules: Sequence[Rule]) -> list[str]:
    """The columns of the wide table that rules ask for, each once."""
    return list(dict.fromkeys(column for rule in rules for column in rule.predicate.columns))


def verdict(rules: Sequence[Rule], first: int = 1) -> str:
    """SQL of the number of a clip's verdict: 0 where it fulfils every rule, else a key of `reasons`.

    A rule that yields NULL is not fulfilled. Numbers, since ten million texts take far longer to compare and to count.

    Args:
        rules: In their order.
        first: The place of the first of them, where they follow others.
    """
    cases = []
    for place, rule in enumerate(rules, first):
        sql, failed = rule.predicate.sql, place * _PLACE
        absent = " ".join(
            f'WHEN "{name}" IS NULL THEN {failed + 2 + index}' for index, name in enumerate(rule.predicate.columns)
        )
        unknown = f"CASE {absent} ELSE {failed + 1} END" if absent else f"{failed + 1}"
        cases.append(f"WHEN {sql} IS NOT TRUE THEN CASE WHEN {sql} IS NULL THEN {unknown} ELSE {failed} END")
    return f"(CASE {' '.join(cases)} ELSE 0 END)::INTEGER" if cases else "0"


def reasons(rules: Sequence[Rule]) -> dict[int, str]:
    """The reason for each number that `verdict` gives but 0."""
    told = {}
    for place, rule in enumerate(rules, 1):
        told[place * _PLACE] = rule.name
        # A condition can yield NULL although no score is missing, as a division by nothing does.
        for index, name in enumerate([rule.name, *rule.predicate.columns], 1):
            told[place * _PLACE + index] = f"{MISSING}{name}"
    return told


def reason(rules: Sequence[Rule], number: str) -> str:
    """SQL of the reason why a clip is dropped, of the number of its verdict; NULL where it is not."""
    return _chosen(number, {key: f"'{text}'" for key, text in reasons(rules).items()}, "VARCHAR")


def value(rules: Sequence[Rule], number: str) -> str:
    """SQL of the score for which a clip is dropped: that of the rule's first comparison that does not hold."""
    told = [[comparison.value for comparison in rule.predicate.comparisons] for rule in rules]
    return _of_first_false(rules, number, told)


def threshold(rules: Sequence[Rule], number: str) -> str:
    """SQL of the limit that the score of `value` does not keep."""
    told = [[repr(comparison.threshold) for comparison in rule.predicate.comparisons] for rule in rules]
    return _of_first_false(rules, number, told)


def _of_first_false(rules: Sequence[Rule], number: str, told: Sequence[Sequence[str]]) -> str:
    """SQL of what belongs to the first comparison that is false, of the rule that has failed."""
    cases = {}
    for place, (rule, texts) in enumerate(zip(rules, told, strict=True), 1):
        pairs = zip(rule.predicate.comparisons, texts, strict=True)
        whens = " ".join(f"WHEN NOT {comparison.sql} THEN ({text})::DOUBLE" for comparison, text in pairs)
        if whens:
            cases[place * _PLACE] = f"CASE {whens} END"
    return _chosen(number, cases, "DOUBLE")


def _chosen(number: str, cases: Mapping[int, str], kind: str) -> str:
    whens = " ".join(f"WHEN {key} THEN {case}" for key, case in cases.items())
    return f"(CASE {number} {whens} END)::{kind}" if cases else f"NULL::{kind}"
