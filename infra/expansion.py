"""Prompts that a language model writes out, in one way whoever asks: what it says is checked, or the prompt stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from captioner import make_engine
from captioner.expand import Expansion, expand_prompt
from infra.policy.gate import gate_of
from infra.sample_config import SampleConfig
from infra.sample_output import Job
from infra.sample_request import Asked, Given
from schemas import ConfigError
from trainer.sampling import check_prompt


@dataclass(frozen=True, slots=True)
class WrittenOut:
    """What became of a prompt."""

    prompt: str
    """What is made: the longer one, or the user's own."""
    is_longer: bool
    why: str = ""
    """Why it stays as it is."""


class Expander:
    """Has prompts written out by the model that a config names; it is loaded for the first one.

    Args:
        config: With the model, and the policy.

    Raises:
        ConfigError: No model is named, or it is none.
    """

    def __init__(self, config: SampleConfig) -> None:
        if config.expand.model is None:
            raise ConfigError("expand.model: is missing: the language model that --expand asks")
        self._config = config
        try:
            self._engine = make_engine(config.expand)
        except ConfigError as error:
            raise _ours(error) from error
        self._is_ready = False

    def __call__(self, prompt: str) -> WrittenOut:
        """Have a prompt written out.

        Raises:
            ConfigError: The model cannot be had, or what comes of the prompt is no prompt.
        """
        if not self._is_ready:
            try:
                self._engine.setup()
            except ConfigError as error:
                raise _ours(error) from error
            self._is_ready = True
        found = self._checked(prompt, expand_prompt(prompt, self._engine))
        check_prompt(found.prompt, self._config)
        return found

    def _checked(self, prompt: str, expansion: Expansion) -> WrittenOut:
        gate = gate_of(self._config.policy)
        refusal = gate.policy.check(expansion.text) if gate is not None else None
        if refusal is not None:
            return WrittenOut(prompt, is_longer=False, why=f"the longer one is {refusal}")
        if expansion.is_expanded:
            return WrittenOut(expansion.text, is_longer=True)
        why = expansion.error or "the model gave no whole answer"
        if expansion.lost:
            why = f"the longer one lacked {', '.join(expansion.lost)}"
        return WrittenOut(expansion.text, is_longer=False, why=why)

    def close(self) -> None:
        """Let the model go."""
        if self._is_ready:
            self._engine.close()
            self._is_ready = False


def _ours(error: ConfigError) -> ConfigError:
    """An engine's mistake under the key that names it here."""
    return ConfigError(str(error).replace("caption.engine.", "expand."))


def job_of(asked: Asked, given: Given, prompts: Sequence[str]) -> Job:
    """An output under other prompts than those that were asked for, which are recorded.

    Args:
        asked: What was asked for, in the user's own words.
        given: What was made of it.
        prompts: What is to be made, as many as `asked.prompts`; none where it is what was asked for.
    """
    if not prompts:
        return Job(asked, given)
    request = given.request
    if request.shots:
        shots = tuple(replace(shot, prompt=prompt) for shot, prompt in zip(request.shots, prompts, strict=True))
        request = replace(request, shots=shots)
    else:
        (prompt,) = prompts
        request = replace(request, prompt=prompt)
    return Job(asked, replace(given, request=request), " ".join(asked.prompts))
