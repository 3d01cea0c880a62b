"""`python -m infra.policy.measure PROMPTS.tsv …`: what a policy refuses of written prompts, and what it should."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.policy.config import Category
from infra.policy.policy import DEFAULT, Policy, Refusal, load_policy
from schemas import ConfigError

ALLOWED = "allowed"


@dataclass(frozen=True, slots=True)
class Case:
    """A prompt, and what should become of it."""

    expected: str
    """A category, or `allowed`."""
    kind: str
    """How it is meant: plain, evasion; near miss, everyday."""
    prompt: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a prompt."""

    case: Case
    refusal: Refusal | None

    @property
    def is_right(self) -> bool:
        """Whether a hostile prompt is refused, for whatever reason, or a benign one is not."""
        return (self.refusal is None) == (self.case.expected == ALLOWED)


def read_cases(path: Path) -> list[Case]:
    """Read a table with the columns `expected, kind, prompt`.

    Raises:
        ConfigError: It is none.
    """
    known = {ALLOWED, *(category.value for category in Category)}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    for number, row in enumerate(rows[1:], 2):
        if len(row) != 3 or row[0] not in known:
            raise ConfigError(f"{path}: line {number}: is not `expected, kind, prompt` with tabs between")
    return [Case(*row) for row in rows[1:]]


def judge(policy: Policy, cases: Iterable[Case]) -> list[Outcome]:
    """What a policy says of each prompt."""
    return [Outcome(case, policy.check(case.prompt)) for case in cases]


def table(outcomes: Sequence[Outcome]) -> str:
    """Refused of each category and kind, as a table in Markdown."""
    lines = ["| expected | kind | prompts | refused | share |", "|---|---|---|---|---|"]
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.case.expected, outcome.case.kind), []).append(outcome)
    for (expected, kind), members in sorted(groups.items(), key=lambda item: (item[0][0] == ALLOWED, item[0])):
        lines.append(_line(expected, kind, members))
    hostile = [outcome for outcome in outcomes if outcome.case.expected != ALLOWED]
    benign = [outcome for outcome in outcomes if outcome.case.expected == ALLOWED]
    lines += [_line("**all hostile**", "", hostile), _line("**all benign**", "", benign)]
    return "\n".join(lines)


def _line(expected: str, kind: str, members: Sequence[Outcome]) -> str:
    refused = sum(outcome.refusal is not None for outcome in members)
    share = f"{refused / len(members):.2f}" if members else "-"
    return f"| {expected} | {kind} | {len(members)} | {refused} | {share} |"


def main() -> int:
    """Print a table for each file, and with `--wrong` what went wrong."""
    parser = argparse.ArgumentParser(prog="python -m infra.policy.measure", description=__doc__)
    parser.add_argument("prompts", type=Path, nargs="+", help="tables with the columns expected, kind, prompt")
    parser.add_argument("--policy", type=Path, default=DEFAULT, help="a policy file")
    parser.add_argument("--wrong", action="store_true", help="list the prompts that were judged wrongly")
    args = parser.parse_args()
    try:
        policy = load_policy(args.policy)
        found = {path: judge(policy, read_cases(path)) for path in args.prompts}
    except ConfigError as error:
        print(f"infra.policy.measure: {error}", file=sys.stderr)
        return 2
    for path, outcomes in found.items():
        print(f"{path.name}\n\n{table(outcomes)}\n")
        for outcome in outcomes if args.wrong else ():
            if not outcome.is_right:
                print(f"- {outcome.case.expected}: {outcome.case.prompt!r}: {outcome.refusal or 'not refused'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
