"""Prompts as users write them, one for each shot where there are several: what is refused, and which of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from infra.policy.gate import gate_of
from infra.sample_config import SampleConfig
from schemas import ConfigError
from trainer.sampling import check_prompt


class Named(NamedTuple):
    """A prompt, and what a sentence about it begins with."""

    where: str
    """`shot 2: ` of one of several shots; else empty."""
    prompt: str


def under(subject: str, prompt: str) -> str:
    """The prompt of a shot, behind a subject that all shots have in common."""
    return " ".join((subject, prompt)).strip()


def named(prompts: Sequence[str], *, are_shots: bool) -> list[Named]:
    """Prompts, and which shot each is of.

    Args:
        prompts: In order.
        are_shots: Whether they are of shots; else there is one.
    """
    return [Named(f"shot {k}: " if are_shots else "", prompt) for k, prompt in enumerate(prompts, 1)]


def check_words(prompts: Sequence[Named], config: SampleConfig) -> None:
    """Stop at a prompt that is empty or too long, or that the policy's words refuse, whoever asks.

    Raises:
        ConfigError: One of them is.
    """
    gate = gate_of(config.policy)
    for where, prompt in prompts:
        try:
            check_prompt(prompt, config)
        except ConfigError as error:
            raise ConfigError(f"{where}{error}") from error
        refusal = gate.policy.check(prompt) if gate is not None else None
        if refusal is not None:
            raise ConfigError(f"{where}the prompt is {refusal}")


def check_judged(prompts: Sequence[Named], config: SampleConfig) -> None:
    """As `check_words`, and then ask the policy's judge, where it has one.

    Raises:
        ConfigError: A prompt is refused, or the judge cannot be asked.
    """
    check_words(prompts, config)
    gate = gate_of(config.policy)
    if gate is None:
        return
    for (where, _), refusal in zip(prompts, gate.prompts([one.prompt for one in prompts]), strict=True):
        if refusal is not None:
            raise ConfigError(f"{where}the prompt is {refusal}")
