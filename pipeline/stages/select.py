"""Stage `select`: give every clip one row that says whether it is kept, and if not, by which rule and which number."""

from __future__ import annotations

from collections import Counter
from typing import Literal, Self

import duckdb
import pyarrow as pa
from deltalake.exceptions import DeltaError
from pydantic import model_validator

from pipeline.dataset import Dataset
from pipeline.selection import wide
from pipeline.selection.balance import BalanceConfig, balance
from pipeline.selection.presets import PRESETS
from pipeline.selection.rules import (
    BALANCE,
    Rule,
    RuleConfig,
    columns_of,
    read_rules,
    reason,
    replaced,
    rule_digest,
    threshold,
    value,
    verdict,
)
from pipeline.views import open_tables
from schemas import TABLES, Config, ConfigError, digest

VERSION = 1
"""Raised by hand when the same tables and rules give other rows than before."""


class SelectConfig(Config):
    """Which clips are kept."""

    preset: Literal["default", "open_sora", "open_sora_plan", "cosmos", "open_sora_2"] | None = "default"
    """Rules to begin with; null for none."""
    rules: tuple[RuleConfig, ...] = ()
    """More rules, in order; one with the name of a rule of the preset takes its place. The first that a clip does not
    fulfil is its reason."""
    balance: BalanceConfig = BalanceConfig()
    """How many of what is left stay where there is much of one kind."""

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        twice = [name for name, number in Counter(rule.name for rule in self.rules).items() if number > 1]
        if twice:
            raise ValueError(f"two rules are named {twice[0]!r}")
        return self

    def all_rules(self) -> tuple[Rule, ...]:
        """The preset's rules and the others, in order."""
        preset = PRESETS[self.preset] if self.preset is not None else {}
        rules = tuple(Rule.read(name, keep) for name, keep in preset.items())
        for own in read_rules(self.rules):
            rules = replaced(rules, own)
        return rules

    @property
    def is_balanced(self) -> bool:
        """Whether clips are also dropped to balance clusters."""
        return self.balance.method != "none"


def required_tables(config: SelectConfig) -> tuple[str, ...]:
    """The tables that must be filled before: what every clip has, and what the rules ask for."""
    columns = columns_of(config.all_rules())
    if config.is_balanced and config.balance.best_by is not None:
        columns.append(config.balance.best_by)
    needed = {"clips", "videos", "scores/scan", *wide.tables_of(columns)}
    # Captions that came with the footage are there once it has been scanned; later ones are no matter of a selection.
    needed.discard("captions")
    if config.is_balanced:
        needed.add("scores/embedding")
    return tuple(name for name in TABLES if name in needed)


def compute(dataset: Dataset, config: SelectConfig) -> None:
    """Renumber the table `selection`, and `wide` before it where that is old. No score is computed.

    Raises:
        ConfigError: A rule cannot be evaluated, or the tables are not one row a clip.
    """
    manifest = dataset.manifest
    if not wide.is_current(manifest):
        wide.build(manifest)
    rules = config.all_rules()
    decided = digest([rule_digest(rules), config.balance.output_digest() if config.is_balanced else None])
    with open_tables(manifest, ["wide"], memory_bytes=wide.MEMORY_BYTES) as db:
        if config.is_balanced:
            db.register("balanced", _balanced(db, dataset, rules, config.balance))
        sql = _verdicts(rules, decided, balanced=config.is_balanced)
        rows = wide.Exactly(manifest.count("clips"), [sql], db)
        try:
            manifest.overwrite("selection", rows.reader())
        except (duckdb.Error, DeltaError) as error:
            said = "the tables have not one row a clip" if rows.is_wrong else _first_line(error)
            raise ConfigError(f"select: {said}") from error


def _verdicts(rules: tuple[Rule, ...], decided: str, *, balanced: bool) -> str:
    """The statement whose answer is the table `selection`."""
    join = " LEFT JOIN balanced ON balanced.clip_id = wide.clip_id" if balanced else ""
    is_spare = "(number = 0 AND coalesce(NOT balanced.kept, false))" if balanced else "false"
    weight = f"CASE WHEN number > 0 THEN 0.0 ELSE {'coalesce(balanced.weight, 1.0)' if balanced else '1.0'} END"
    return f"""
        SELECT wide.clip_id, wide.video_id, number = 0 AND NOT {is_spare} AS kept,
            CASE WHEN {is_spare} THEN '{BALANCE}' ELSE {reason(rules, "number")} END AS reason,
            {value(rules, "number")} AS score_value, {threshold(rules, "number")} AS threshold,
            wide.duration_s, {weight} AS weight, '{decided}' AS rule_digest
        FROM (SELECT *, {verdict(rules)} AS number FROM wide) AS wide{join}
    """


def _balanced(
    db: duckdb.DuckDBPyConnection, dataset: Dataset, rules: tuple[Rule, ...], config: BalanceConfig
) -> pa.Table:
    """What balance says of the clips that fulfil all rules."""
    if config.best_by is not None and config.best_by not in TABLES["wide"].schema.names:
        raise ConfigError(f"select.balance.best_by: there is no score {config.best_by!r}")
    score = f', "{config.best_by}"::DOUBLE AS score' if config.best_by is not None else ""
    kept = db.sql(f"SELECT clip_id{score} FROM wide WHERE {verdict(rules)} = 0").to_arrow_table()
    return balance(dataset.manifest.dataset("scores/embedding"), kept, config)


def _first_line(error: Exception) -> str:
    return " ".join(str(error).partition("\nLINE ")[0].split())[:300]
