"""Check prompts against a policy file."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.policy.config import TITLES, Category, PolicyConfig, RuleConfig
from infra.policy.matching import Group, Hit
from infra.policy.spelling import plain_text, words_of
from schemas import ConfigError, digest, load_config

DEFAULT = Path(__file__).parent.parent / "recipes" / "policy.yaml"
_MAX_COMBINATIONS = 4096
_MAX_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is not made."""

    category: Category
    rule: str
    words: tuple[str, ...] = ()
    """Terms that were found."""

    def __str__(self) -> str:
        """One sentence."""
        found = ", ".join(repr(word[:_MAX_SHOWN]) for word in self.words)
        return f"refused by the policy: {TITLES[self.category]}, rule {self.rule!r}{f' ({found})' if found else ''}"


class Policy:
    """Says of prompts whether they may be made.

    Args:
        config: The policy file.
        people: Names of living people.
    """

    def __init__(self, config: PolicyConfig, people: Sequence[str] = ()) -> None:
        self.config = config
        self._groups = {name: Group(group.terms, group.patterns) for name, group in config.groups.items()}
        self._people = Group(people)
        self._harmless = Group(config.harmless)
        self.digest = digest([config.output_digest(), sorted(people)])

    def check(self, prompt: str) -> Refusal | None:
        """Why a prompt is refused; None where it is not.

        Args:
            prompt: Of any length and in any script.
        """
        words, text = words_of(prompt), plain_text(prompt)
        harmless = frozenset(place for hit in self._harmless.hits(words, text) for place in hit.places)
        hits = {name: group.hits(words, text, harmless) for name, group in self._groups.items()}
        for category in Category:
            for rule in self.config.rules.get(category, ()):
                found = _match(rule, hits)
                if found is not None:
                    return Refusal(category, rule.name, tuple(dict.fromkeys(hit.term for hit in found)))
            if category is Category.people:
                named = self._people.hits(words, text, harmless)
                if named:
                    return Refusal(category, "a name of the list", (named[0].term,))
        return None


def _match(rule: RuleConfig, hits: dict[str, list[Hit]]) -> tuple[Hit, ...] | None:
    """A hit of each of a rule's groups; None where it does not apply."""
    if any(hits[name] for name in rule.unless):
        return None
    groups = [hits[name] for name in rule.all]
    if rule.within is None and not rule.is_ordered:
        # Where places do not matter, one of each is enough to be tried, and two where a word is in both groups.
        groups = [found[: len(groups)] for found in groups]
    choices = itertools.product(*groups)
    for one in itertools.islice(choices, _MAX_COMBINATIONS):
        starts = [hit.start for hit in one]
        distinct = len({hit.places or (hit.term,) for hit in one}) == len(one)
        if rule.is_ordered and starts != sorted(starts):
            continue
        if distinct and (rule.within is None or max(starts) - min(starts) <= rule.within):
            return one
    return None


def load_policy(path: Path = DEFAULT) -> Policy:
    """Read a policy file, and the list of names beside it.

    Raises:
        ConfigError: One of them cannot be read, or says what does not go together.
    """
    config = load_config(PolicyConfig, path)
    if config.people is None:
        return Policy(config)
    names = path.parent / config.people
    try:
        lines = names.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: people: {names} cannot be read: {error}") from error
    return Policy(config, [name for line in lines if (name := line.split("#")[0].strip())])
